// Whole and cut in two: the same answer, and any name found is valid.
#include <cstdint>
#include <cstdlib>

#include "wire/client_hello.h"
#include "wire/host_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    using Status = ClientHelloReader::Status;
    if (size < 1) return 0;
    const Octets in = as_octets(data + 1, size - 1);
    ClientHelloReader whole, pieces;
    const Status status = whole.read(in);
    Status again = pieces.read(in.first(in.empty() ? 0 : data[0] * 7u % in.size()));
    if (again == Status::need_more) again = pieces.read(in);
    if (status != again && status != Status::too_large) std::abort();
    if (status == Status::found) {
        const std::string& name = whole.hello().server_name;
        if (!name.empty() && parse_host_name(name).value_or("") != name) std::abort();
        if (whole.hello().alpn != pieces.hello().alpn || name != pieces.hello().server_name) std::abort();
    }
    return 0;
}
