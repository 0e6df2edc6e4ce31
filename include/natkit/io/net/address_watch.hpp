#pragma once

#include <functional>
#include <memory>

#include "natkit/base/error.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::io {

/// Tells when an address or an interface of this host came, went or changed (rtnetlink). What is there then is for
/// host_addresses() to say.
class AddressWatch {
  public:
    /// `on_change` is called some milliseconds after the first of changes that come together.
    [[nodiscard]] static Result<std::unique_ptr<AddressWatch>> open(Loop& loop, std::function<void()> on_change);
    ~AddressWatch() = default;
    AddressWatch(const AddressWatch&) = delete;
    AddressWatch& operator=(const AddressWatch&) = delete;

  private:
    AddressWatch(Loop& loop, Fd socket, std::function<void()> on_change);
    void drain();

    Fd socket_;
    std::function<void()> on_change_;
    Timer settle_;
    Poll poll_;
};

}  // namespace natkit::io
