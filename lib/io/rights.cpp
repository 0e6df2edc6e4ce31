#include "natkit/io/rights.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>

namespace natkit::io {
namespace {

constexpr unsigned of_mediarelay[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF};

}  // namespace

WithoutNetworkRights::WithoutNetworkRights() {
    for (const unsigned right : of_mediarelay) {
        if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, right, 0, 0) != 1) continue;
        if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, right, 0, 0) == 0) lowered_ |= std::uint64_t{1} << right;
    }
}

WithoutNetworkRights::~WithoutNetworkRights() {
    for (const unsigned right : of_mediarelay) {
        if ((lowered_ >> right & 1U) != 0) ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0);
    }
}

}  // namespace natkit::io
