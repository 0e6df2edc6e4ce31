#pragma once

#include <cstdint>

namespace natkit::io {

/// While it lives, programs that this thread starts do not inherit CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF as ambient
/// capabilities (capabilities(7)); this process keeps what it has. Nothing happens where they are not ambient.
class WithoutNetworkRights {
  public:
    WithoutNetworkRights();
    ~WithoutNetworkRights();
    WithoutNetworkRights(const WithoutNetworkRights&) = delete;
    WithoutNetworkRights& operator=(const WithoutNetworkRights&) = delete;

  private:
    std::uint64_t lowered_ = 0;  ///< a bit for each
};

}  // namespace natkit::io
