// openapi.h: the OpenAPI 3.1 document of the admin API, written by hand and served as it stands.
#pragma once
#include <string_view>

namespace sallyport::relay {

extern const std::string_view kOpenApiDocument;

}  // namespace sallyport::relay
