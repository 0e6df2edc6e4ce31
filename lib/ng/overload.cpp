#include "natkit/ng/overload.hpp"

namespace natkit::ng {

bool Overload::look(double busy, Instant now) noexcept {
    const bool otherwise = overloaded_ ? busy < below : busy > above;
    if (!otherwise) {
        since_.reset();
        return false;
    }
    if (!since_) since_ = now;
    if (now - *since_ < lasting) return false;
    since_.reset();
    overloaded_ = !overloaded_;
    return true;
}

}  // namespace natkit::ng
