// The input is taken as pasted text, and as the JSON inside a code whose checksum is right.
#include <openssl/evp.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/encoding.h"
#include "wire/enrolment_code.h"

namespace {

std::string wrap(sallyport::Octets json) {
    std::string text = "sallyport1_" + sallyport::to_base64url(json);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
    return text + "_" + sallyport::to_base64url(sallyport::as_octets(digest, size)).substr(0, 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    (void)parse_enrolment_code({reinterpret_cast<const char*>(data), size});
    const auto code = parse_enrolment_code(wrap(as_octets(data, size)));
    if (!code) return 0;
    const auto text = format_enrolment_code(*code);  // may be refused: escapes in JSON make it longer
    if (text && parse_enrolment_code(text->reveal())->targets != code->targets) std::abort();
    return 0;
}
