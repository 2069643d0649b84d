// add_on.h: where Home Assistant's Supervisor puts an add-on's options: the configuration file, where none is named.
#pragma once

namespace sallyport::app {

inline constexpr const char* kAddOnOptions = "/data/options.json";

}  // namespace sallyport::app
