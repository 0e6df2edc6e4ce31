#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "natkit/base/ip.hpp"

/// Questions and answers of the domain name system, as far as SIP asks them.
namespace natkit::dns {

struct Query {
    enum class Kind : std::uint8_t { naptr, srv, a, aaaa } kind{};
    std::string name;  ///< lower case, without the last dot

    friend auto operator<=>(const Query&, const Query&) = default;
};

[[nodiscard]] std::string to_string(const Query& query);  ///< "SRV _sip._udp.example.com"

struct Naptr {
    std::uint16_t order = 0;
    std::uint16_t preference = 0;
    std::string flags;
    std::string service;
    std::string replacement;

    friend bool operator==(const Naptr&, const Naptr&) = default;
};

struct Srv {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;  ///< "." says that the service is not offered

    friend bool operator==(const Srv&, const Srv&) = default;
};

/// What became of a query; empty lists where there is no such record.
struct Answer {
    std::vector<Naptr> naptr;
    std::vector<Srv> srv;
    std::vector<IpAddress> addresses;
    bool failed = false;  ///< nobody answered, or with an error: there may be such records

    friend bool operator==(const Answer&, const Answer&) = default;
};

}  // namespace natkit::dns
