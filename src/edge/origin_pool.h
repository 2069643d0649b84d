// origin_pool.h: the idle streams to origins of one visitor connection. They are this visitor's for good: nobody else's request
// ever goes out on one of them. Bounded in number; what is given beyond that pushes the longest idle one out; who leaves does so in order
// (OriginFarewells). Lives on the loop
// of the connection.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/origin_connection.h"
#include "edge/origin_farewells.h"

namespace sallyport {

class OriginPool {
public:
    OriginPool(OriginFarewells& farewells, std::size_t most) : farewells_(farewells), most_(most) {}
    ~OriginPool() { clear(); }
    OriginPool(const OriginPool&) = delete;
    OriginPool& operator=(const OriginPool&) = delete;

    // The live one that was idle for the shortest time; null if there is none to this target. `visitor`: whose it is, on a
    // connection of a proxy that carries the requests of many (VisitorRequest::named_ip); else "".
    std::unique_ptr<OriginConnection> take(std::string_view agent_id, std::string_view target, std::string_view visitor = {});
    // Its use must have ended (OriginConnection::end_use).
    void give(std::unique_ptr<OriginConnection> origin, std::string_view visitor = {});
    // Drops dead ones, and of those idle since before `since` all but the `kept` freshest.
    void trim(TimePoint since, std::size_t kept);
    void clear();
    std::size_t size() const { return idle_.size(); }

private:
    void drop(std::size_t place);

    OriginFarewells& farewells_;
    std::size_t most_;
    struct Idle {
        std::unique_ptr<OriginConnection> origin;
        std::string visitor;
    };
    std::vector<Idle> idle_;  // the longest idle one first
};

}  // namespace sallyport
