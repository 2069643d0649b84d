// request_policy.h: what the edge changes in a request on its way to an origin (docs/architecture.md). Pure.
// What only the visitor's connection concerns goes; what only a proxy may say is never taken from a visitor, whatever the
// spelling; what the edge says itself is added once.
#pragma once
#include <string>
#include <string_view>

#include "edge/origins.h"
#include "edge/proxy_trust.h"
#include "edge/route.h"
#include "wire/field_section.h"
#include "wire/http1_message.h"

namespace sallyport {

// X-Forwarded-*, Forwarded, X-Real-IP and their like, and names with '_', which some origins read as '-'.
bool is_untrusted(const Field& field);

// Removes untrusted and connection fields; Expect too unless the request really waits for a 100.
void drop_untrusted_fields(RequestHead& head);

enum class ForwardedFields { send, omit, refuse, undecided };
// `target` as the agent reports it, null if it doesn't know the name. refuse: without the fields the Internet could log in
// without a password, so nothing is served until the owner decides. undecided: the agent hasn't found out yet what the target
// does with them.
ForwardedFields choose_forwarded_fields(ForwardClientIp choice, const AgentView::Target* target);
// One X-Forwarded-For, -Proto and -Host each. `visitor_ip`: a bare address, IPv4 not in IPv6's clothes.
void add_forwarded_fields(FieldSection& fields, std::string_view visitor_ip, Scheme scheme, std::string_view host);

// RFC 8586: has the request come through here before?
bool has_looped(const FieldSection& fields, std::string_view cdn_loop_id);

// "/a/b?x" without "/a" is "/b?x"; "/a?x" is "/?x".
void strip_prefix(std::string& target, std::string_view prefix);

}  // namespace sallyport
