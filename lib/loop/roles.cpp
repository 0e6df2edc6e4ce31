#include "natkit/loop/roles.hpp"

namespace natkit::loop {

using nat::Place;
using sdp::Setup;

Setup shown_offer(Setup offered, const Between& between) noexcept {
    if (!between.relayed || offered != Setup::actpass) return offered;
    if (between.answerer == Place::far_end) return Setup::passive;
    return between.offerer == Place::far_end ? Setup::active : Setup::actpass;
}

Setup shown_answer(Setup offered, Setup answered, const Between& between) noexcept {
    if (offered == Setup::holdconn || answered == Setup::holdconn) return Setup::holdconn;
    if (!between.relayed) return answered;
    if (offered != Setup::actpass) return left_by(offered);
    if (between.offerer == Place::far_end || answered == Setup::actpass) return Setup::passive;
    return answered;
}

}  // namespace natkit::loop
