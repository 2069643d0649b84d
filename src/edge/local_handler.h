// local_handler.h: requests that the relay answers itself (admin API, metrics), on listeners of their own.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sallyport {

struct LocalRequest {
    std::string method;
    std::string path;     // without query
    std::string query;    // without '?'
    std::string content;  // at most 1 MiB; more is answered 413 by the edge
};

struct LocalResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string content;
    std::vector<std::pair<std::string, std::string>> fields;
};

class LocalHandler {
public:
    using Reply = std::move_only_function<void(LocalResponse)>;
    virtual ~LocalHandler() = default;
    // `reply` may be called from any thread, once; destroying it unanswered answers 500.
    virtual void handle(LocalRequest request, Reply reply) = 0;
};

}  // namespace sallyport
