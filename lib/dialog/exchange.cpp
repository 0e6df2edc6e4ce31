#include "natkit/dialog/exchange.hpp"

namespace natkit::dialog {

Role Exchange::in_request(End from, bool prack) const noexcept {
    if (!pending_) return Role::offer;
    if (pending_->offerer == from) return Role::too_many;
    return prack && pending_->in_response ? Role::answer : Role::glare;
}

Role Exchange::in_response(End from, std::uint64_t owner, bool may_offer) const noexcept {
    if (may_offer && (!pending_ || (pending_->owner == owner && pending_->in_response))) return Role::offer;
    return owned_by(owner) && pending_->offerer == other(from) ? Role::answer : Role::neither;
}

Role Exchange::in_ack(End from, std::uint32_t cseq) const noexcept {
    const bool waited_for =
        pending_ && pending_->in_response && pending_->cseq == cseq && pending_->offerer == other(from);
    return waited_for ? Role::answer : Role::neither;
}

bool Exchange::may_open(const Offer& offer) const noexcept {
    if (!pending_) return true;
    return pending_->owner == offer.owner && pending_->offerer == offer.offerer && !answered_;
}

void Exchange::open(const Offer& offer) noexcept {
    pending_ = offer;
    answered_ = false;
}

bool Exchange::close() noexcept {
    const bool counts = pending_ && answered_;
    pending_.reset();
    answered_ = false;
    return counts;
}

}  // namespace natkit::dialog
