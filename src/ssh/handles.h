// handles.h: libssh's objects with an owner each. A session frees its channels: channels go first.
#pragma once
#ifndef SSH_SUPPRESS_DEPRECATED
#define SSH_SUPPRESS_DEPRECATED  // reading an authentication message has no other interface outside libssh's callbacks
#endif
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <memory>

namespace sallyport::ssh {

template <auto Free>
struct Deleter {
    void operator()(auto* object) const noexcept { Free(object); }
};
using Session = std::unique_ptr<ssh_session_struct, Deleter<ssh_free>>;
using ChannelHandle = std::unique_ptr<ssh_channel_struct, Deleter<ssh_channel_free>>;
using Key = std::unique_ptr<ssh_key_struct, Deleter<ssh_key_free>>;
using Bind = std::unique_ptr<ssh_bind_struct, Deleter<ssh_bind_free>>;
using Event = std::unique_ptr<ssh_event_struct, Deleter<ssh_event_free>>;
using Message = std::unique_ptr<ssh_message_struct, Deleter<ssh_message_free>>;
using CString = std::unique_ptr<char, Deleter<ssh_string_free_char>>;  // text that libssh allocated; wiped by nobody

}  // namespace sallyport::ssh
