#pragma once

#include <unistd.h>

#include "natkit/base/ip.hpp"

/// A loopback address of this process alone, so that a port found free there stays so.
inline natkit::IpAddress own_loopback() {
    return natkit::IpAddress::v4(0x7f400000U | (static_cast<std::uint32_t>(::getpid()) & 0x3fffffU));
}
