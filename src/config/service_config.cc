#include "config/service_config.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "wire/host_name.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxServices = 256;  // as many as one control message lists
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kPinSize = 32;

struct TrustValue {
    TargetTrust trust = TargetTrust::automatic;
    std::string pin{};
};

Result<TrustValue> parse_trust(std::string_view text) {
    if (text == "auto") return TrustValue{};
    if (text == "ca") return TrustValue{.trust = TargetTrust::system_ca};
    auto pin = parse_pin(text);
    if (!pin) return fail(Errc::invalid_config, Reader::quoted(text) + " is neither auto, ca nor a pin");
    return TrustValue{.trust = TargetTrust::pin, .pin = std::move(*pin)};
}

bool is_service_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("-_.:[]").contains(c);  // host:port too, which forward lines name
    });
}

// "auto" asks for the search that only the built-in service has.
Result<std::optional<Url>> parse_service_url(std::string_view name, std::string_view text) {
    if (text == "auto" && name == kBuiltInService) return std::nullopt;
    auto url = parse_target_url(text);
    if (!url) return std::unexpected(url.error());
    return std::optional(std::move(*url));
}

class ServiceReader {
public:
    explicit ServiceReader(Reader& reader) : reader_(reader) {}

    void read_item(const Reader::Item& item) {
        if (!item.name.empty()) return read_named(item);
        if (item.value->kind == Node::Kind::mapping) return read_list_entry(item);
        if (const auto text = reader_.scalar(item)) read_pairs(item, *text);
    }
    std::vector<ServiceConfig> take() { return std::move(services_); }

private:
    // name: url, or name: {url, ...}
    void read_named(const Reader::Item& item) {
        if (item.value->kind == Node::Kind::mapping) return read_detailed(item, item.name);
        if (const auto text = reader_.scalar(item)) add_pair(item, item.name, *text);
    }

    // {name: n, url: u, ...}, or {n: u}
    void read_list_entry(const Reader::Item& item) {
        const auto& members = item.value->items;
        const bool short_form = members.size() == 1 && members[0].key != "name" && members[0].key != "url";
        if (!short_form) return read_detailed(item, std::nullopt);
        Reader::Item inner = item;
        inner.name = members[0].key;
        inner.value = &members[0];
        inner.path += "." + inner.name;
        read_named(inner);
    }

    void read_detailed(const Reader::Item& item, std::optional<std::string> name) {
        reader_.read_section(item, [&](Reader& section) {
            ServiceConfig service;
            if (!name) {
                section.read_text("name", service.name);
                section.require("name", "what the relay asks for");
            }
            if (name) service.name = *name;
            section.read_value("url", service.url, [&](std::string_view text) { return parse_service_url(service.name, text); });
            if (service.name != kBuiltInService) section.require("url", "like http://radio.lan:8000");
            std::optional<std::string> server_name;
            section.read_parsed("tls_server_name", server_name, parse_host_name);
            service.tls_server_name = server_name.value_or("");
            std::optional<TrustValue> trust;
            section.read_parsed("trust", trust, parse_trust);
            if (trust) std::tie(service.trust, service.pin) = std::tie(trust->trust, trust->pin);
            const bool tls = !service.url || service.url->scheme == "https";
            for (const auto* const key : {"tls_server_name", "trust"})
                if (!tls && section.has(key)) section.refuse(key, "means something for https only");
            add(item, std::move(service));
        });
    }

    // name=url,name=url
    void read_pairs(const Reader::Item& item, std::string_view text) {
        while (true) {
            const auto comma = text.find(',');
            const std::string_view pair = text.substr(0, comma);
            const auto equals = pair.find('=');
            if (equals == std::string_view::npos) reader_.refuse(item, Reader::quoted(pair) + ": write it as name=http://host:port");
            else add_pair(item, std::string(pair.substr(0, equals)), pair.substr(equals + 1));
            if (comma == std::string_view::npos) return;
            text.remove_prefix(comma + 1);
        }
    }

    void add_pair(const Reader::Item& item, std::string name, std::string_view text) {
        auto url = parse_service_url(name, text);
        if (!url) return reader_.refuse(item, url.error().detail);
        add(item, {.name = std::move(name), .url = std::move(*url)});
    }

    void add(const Reader::Item& item, ServiceConfig service) {
        if (service.name.empty() && item.name.empty() && item.value->kind == Node::Kind::mapping) return;  // told already
        if (!is_service_name(service.name))
            return reader_.refuse(item, "service name " + Reader::quoted(service.name) + ": use 1 to 64 of a-z, 0-9, '-', '_' and '.'");
        if (std::ranges::find(services_, service.name, &ServiceConfig::name) != services_.end())
            return reader_.refuse(item, "service " + Reader::quoted(service.name) + " stands here for the second time");
        if (services_.size() == kMaxServices) return reader_.refuse(item, "more than 256 services");
        services_.push_back(std::move(service));
    }

    Reader& reader_;
    std::vector<ServiceConfig> services_;
};

}  // namespace

Result<std::string> parse_pin(std::string_view text) {
    if (text.starts_with("sha256:")) text.remove_prefix(7);
    const auto octets = from_base64url(text);
    if (!octets || octets->size() != kPinSize)
        return fail(Errc::invalid_config, "a pin is 43 characters of A-Z a-z 0-9 - _ (the relay prints its own at the start)");
    return std::string(text);
}

std::vector<ServiceConfig> read_services(Reader& reader) {
    ServiceReader services(reader);
    for (const Reader::Item& item : reader.read_items("services")) services.read_item(item);
    std::vector<ServiceConfig> read = services.take();
    if (read.empty()) read.push_back({.name = std::string(kBuiltInService)});
    return read;
}

}  // namespace sallyport
