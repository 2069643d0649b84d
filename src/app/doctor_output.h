// doctor_output.h: a doctor's findings as lines for people and as one JSON object for programs (docs/doctor.md). Pure.
#pragma once
#include <string>

#include "base/doctor_report.h"

namespace sallyport::app {

enum class Marks { unicode, ascii };

// "✓ tcp            connected to …", and the cure and hints below it. Nothing in it can move a cursor.
std::string doctor_line(const DoctorStep& step, Marks marks);
// The last line: that all is well, or the first failing hop and its cure.
std::string doctor_summary(const DoctorReport& report);

std::string doctor_json(const DoctorReport& report);

}  // namespace sallyport::app
