#include "natkit/crypto/sealed_memory.hpp"

#include <functional>

namespace natkit::crypto {

SealedMemory::Known& SealedMemory::place_of(Bytes sealed, Bytes context) {
    key_ = std::to_string(sealed.size()) + ' ';  // neither can be taken for part of the other
    key_.append(sealed.begin(), sealed.end());
    key_.append(context.begin(), context.end());
    return places_[std::hash<std::string>()(key_) % places_.size()];
}

void SealedMemory::note(Bytes sealed, Bytes context, Bytes plain) {
    Known& known = place_of(sealed, context);
    known.key = key_;
    known.plain.assign(plain.begin(), plain.end());
}

std::optional<std::vector<std::uint8_t>> SealedMemory::find(Bytes sealed, Bytes context) {
    const Known& known = place_of(sealed, context);
    return known.key == key_ ? std::optional(known.plain) : std::nullopt;
}

}  // namespace natkit::crypto
