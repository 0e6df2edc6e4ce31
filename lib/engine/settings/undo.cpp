#include "undo.hpp"

#include "file.hpp"
#include "natkit/crypto/crypto.hpp"

namespace natkit::settings {

Result<Undone> undo(Store& store, const Unconfirmed& change) {
    const auto before = store.version(change.before);
    if (!before) return std::unexpected(before.error());
    const auto text = read_file(change.file);
    if (!text) return std::unexpected(text.error());
    const std::string hash = crypto::sha256_hex(*text);
    if (hash == change.hash_after) {
        if (const auto done = replace_file(change.file, before->text); !done) return std::unexpected(done.error());
    }
    store.set_state(change.pending.version, State::undone);
    store.forget_unconfirmed();
    // One that died before it wrote the file has left nothing to be undone.
    return hash == change.hash_after || hash == before->hash ? Undone::put_back : Undone::edited;
}

}  // namespace natkit::settings
