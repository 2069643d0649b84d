#include "net/openssl_handles.h"

#include <openssl/err.h>

namespace sallyport {

std::string openssl_reason() {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason ? reason : "unknown reason";
}

}  // namespace sallyport
