// ban_watch.h: tells the log of bans that have ended (event=visitor.unbanned), and has the shield forget who has calmed down. Lives
// on the first loop.
#pragma once
#include "base/log.h"
#include "edge/ban_shield.h"
#include "net/loop.h"

namespace sallyport::relay {

class BanWatch {
public:
    BanWatch(Loop& loop, Log& log, BanShield& shield);

private:
    void look();
    Loop& loop_;
    Log& log_;
    BanShield& shield_;
    Timer timer_;
};

}  // namespace sallyport::relay
