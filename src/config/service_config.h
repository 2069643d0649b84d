// service_config.h: the targets in an agent's configuration, in all the shapes that people write:
//   services:                                services:
//     radio: http://radio.lan:8000             - radio=http://radio.lan:8000
//     camera:                                  - name: camera
//       url: https://10.0.0.9:443                url: https://10.0.0.9:443
//       tls_server_name: camera.lan              trust: auto
// and SALLYPORT_SERVICES="radio=http://radio.lan:8000,nas=tcp://nas.lan:22" or JSON.
#pragma once
#include <vector>

#include "config/agent_config.h"
#include "config/reader.h"

namespace sallyport {

// What is wrong is told to the reader. Gives the built-in service if the key is unset.
std::vector<ServiceConfig> read_services(Reader& reader);

// "sha256:" or nothing, then 43 characters of base64url, which stand for 32 octets; gives those characters.
Result<std::string> parse_pin(std::string_view text);

}  // namespace sallyport
