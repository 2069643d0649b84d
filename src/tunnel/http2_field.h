// http2_field.h: a field as nghttp2 takes it. Name and value must live until the call that submits it returns (nghttp2 copies them).
#pragma once
#include <nghttp2/nghttp2.h>

#include <string_view>

namespace sallyport {

inline nghttp2_nv field(std::string_view name, std::string_view value) {
    return {const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(name.data())),
            const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
}

}  // namespace sallyport
