#pragma once

#include <functional>
#include <optional>
#include <string>

#include "natkit/base/time.hpp"
#include "natkit/sip/digest.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/registrar.hpp"

namespace natkit::edge {

/// What the core needs from outside besides time: unguessable text and a keyed hash.
struct Secrets {
    std::function<std::string()> random_hex;  ///< at least 64 bits
    sip::Mac mac;                             ///< a key that must outlive a restart
    sip::Cipher cipher;                       ///< of flow tokens; the same goes for its key
    sip::Hash hash{};                         ///< for passwords; needed where Settings::users is set
    /// When natkit began to encrypt tokens with this key; those of before hold for one Settings::max_dialog more.
    std::optional<WallTime> encrypts_since{};
};

}  // namespace natkit::edge
