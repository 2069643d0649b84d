#include "gateway/resume_dialogue.h"

#include <fmt/format.h>

namespace sallyport::gateway {
namespace {

std::string in_words(Duration duration) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(duration).count();
    if (minutes == 0) return fmt::format("{} s", std::chrono::duration_cast<std::chrono::seconds>(duration).count());
    if (minutes < 60) return fmt::format("{} min", minutes);
    return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string in_words(const ResumeDialogue::Waiting& waiting) {
    std::string out = waiting.title.empty() ? std::string() : waiting.title + ", ";
    return out + fmt::format("left {} ago, {} old", in_words(waiting.detached_for), in_words(waiting.age));
}

}  // namespace

ResumeDialogue::ResumeDialogue(std::vector<Waiting> waiting) : waiting_(std::move(waiting)) {
    if (waiting_.size() > kMostShown) waiting_.resize(kMostShown);
    if (waiting_.size() == 1) {
        text_ = fmt::format("1 session waiting ({}), resume? [Y/n] ", in_words(waiting_[0]));
        return;
    }
    text_ = fmt::format("{} sessions waiting:\r\n", waiting_.size());
    for (std::size_t i = 0; i < waiting_.size(); ++i) text_ += fmt::format("  {}  {}\r\n", i + 1, in_words(waiting_[i]));
    text_ += fmt::format("resume which? [1-{}, n for a new one] ", waiting_.size());
}

ResumeDialogue::Answer ResumeDialogue::resume(std::size_t index, std::size_t octets) {
    text_ += waiting_.size() == 1 ? "y\r\n" : fmt::format("{}\r\n", index + 1);
    return {Answer::Kind::resume, index, octets};
}

std::optional<ResumeDialogue::Answer> ResumeDialogue::keys(Octets octets) {
    for (std::size_t i = 0; i < octets.size(); ++i) {
        const char key = static_cast<char>(octets[i]);
        switch (key) {
            case '\r':
            case '\n': return resume(0, i + 1);
            case 'y':
            case 'Y':
                if (waiting_.size() == 1) return resume(0, i + 1);
                break;
            case 'n':
            case 'N': text_ += "n\r\n"; return Answer{Answer::Kind::fresh, 0, i + 1};
            case 0x03:  // Ctrl-C
            case 0x04:  // Ctrl-D
                text_ += "\r\n";
                return Answer{Answer::Kind::leave, 0, i + 1};
            default:
                if (key >= '1' && static_cast<std::size_t>(key - '1') < waiting_.size()) return resume(static_cast<std::size_t>(key - '1'), i + 1);
        }
    }
    return std::nullopt;
}

}  // namespace sallyport::gateway
