#include "natkit/engine/settings/put_back.hpp"

#include "natkit/io/wall_clock.hpp"
#include "undo.hpp"

namespace natkit::settings {

std::string folder_of(const config::Config& config) {
    const std::string& state = config.registrar.state;
    const std::size_t slash = state.rfind('/');
    if (slash == std::string::npos) return config::Surroundings::of_process().state_dir + "/settings";
    return state.substr(0, slash) + "/settings";
}

std::string put_back(const daemon::Configuration& source, When when) {
    const config::Draft draft = source.draft();
    Store store(folder_of(draft.loaded.config));
    const auto change = store.unconfirmed();
    if (!change || change->file != source.options().config_file) return {};
    Confirmation confirmation(change->pending);
    const auto now = io::wall_now();
    if (when == When::overdue && !confirmation.on_time(now)) return {};
    const auto undone = undo(store, *change);
    const std::string whose = "the change of the settings by " + change->pending.who + ", which nobody confirmed, ";
    if (!undone) return whose + "could not be undone: " + to_string(undone.error());
    return whose + (*undone == Undone::put_back ? "is undone" : "is no longer in the file, which somebody has edited");
}

}  // namespace natkit::settings
