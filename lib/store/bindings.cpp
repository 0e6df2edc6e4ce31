#include "natkit/store/bindings.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

namespace natkit::store {
namespace {

constexpr const char* schema =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=2000;"
    "CREATE TABLE IF NOT EXISTS bindings (id TEXT PRIMARY KEY, aor TEXT NOT NULL, contact TEXT NOT NULL,"
    " instance TEXT NOT NULL, flow TEXT NOT NULL, place TEXT NOT NULL, rule TEXT NOT NULL, site TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL, q INTEGER NOT NULL,"
    " user_agent TEXT NOT NULL, authenticated INTEGER NOT NULL DEFAULT 0, server TEXT NOT NULL DEFAULT '',"
    " reached INTEGER NOT NULL DEFAULT 1, registered_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;";
/// What a file of an older version lacks; that it is there already is no error.
constexpr const char* newer_columns[] = {"ALTER TABLE bindings ADD COLUMN authenticated INTEGER NOT NULL DEFAULT 0",
                                         "ALTER TABLE bindings ADD COLUMN server TEXT NOT NULL DEFAULT ''",
                                         "ALTER TABLE bindings ADD COLUMN reached INTEGER NOT NULL DEFAULT 1",
                                         "ALTER TABLE bindings ADD COLUMN registered_ms INTEGER NOT NULL DEFAULT 0"};

constexpr const char* insert_text =
    "INSERT OR REPLACE INTO bindings (id, aor, contact, instance, flow, place, rule, site, expires_ms, call_id, cseq, "
    "q,"
    " user_agent, authenticated, server, reached, registered_ms)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)";
constexpr const char* remove_text = "DELETE FROM bindings WHERE id = ?1";
constexpr const char* load_text =
    "SELECT id, aor, contact, instance, flow, place, rule, site, expires_ms, call_id, cseq, q, user_agent,"
    " authenticated, server, reached, registered_ms FROM bindings";

/// A prepared statement, reset after use and finalised at the end.
class Statement {
  public:
    Statement(sqlite3* database, const char* text) { sqlite3_prepare_v2(database, text, -1, &statement_, nullptr); }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    void bind(int index, const std::string& text) {
        // The text outlives the step: everything is reset before save() and remove() return.
        sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), nullptr);
    }
    void bind(int index, std::int64_t number) { sqlite3_bind_int64(statement_, index, number); }
    int step() { return sqlite3_step(statement_); }
    void reset() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    [[nodiscard]] std::string text(int column) {
        const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        return data == nullptr ? std::string()
                               : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
    }
    [[nodiscard]] std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }
    explicit operator bool() const { return statement_ != nullptr; }

  private:
    sqlite3_stmt* statement_ = nullptr;
};

struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, Close>;

/// `bad_input` for a file that will never do, whatever is tried: damaged, or not ours.
std::unexpected<Error> failure(sqlite3* database, const std::string& path) {
    const int code = database == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database) & 0xff;
    const bool hopeless = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
    return fail(hopeless ? Errc::bad_input : Errc::system,
                std::string("state file: ") + (database ? sqlite3_errmsg(database) : "no memory"), path);
}

/// A damaged page need not be met by any statement until its registration is wanted.
bool is_sound(sqlite3* database) {
    Statement check(database, "PRAGMA quick_check(1)");
    return check && check.step() == SQLITE_ROW && check.text(0) == "ok";
}

std::vector<BindingRow> rows_of(Statement& select, int& last) {
    std::vector<BindingRow> rows;
    last = select ? select.step() : SQLITE_ERROR;
    for (; last == SQLITE_ROW; last = select.step()) {
        rows.push_back({.id = select.text(0),
                        .aor = select.text(1),
                        .contact = select.text(2),
                        .instance = select.text(3),
                        .flow = select.text(4),
                        .place = select.text(5),
                        .rule = select.text(6),
                        .site = select.text(7),
                        .expires_ms = select.number(8),
                        .registered_ms = select.number(16),
                        .call_id = select.text(9),
                        .cseq = static_cast<std::uint32_t>(select.number(10)),
                        .q = static_cast<int>(select.number(11)),
                        .user_agent = select.text(12),
                        .authenticated = select.number(13) != 0,
                        .server = select.text(14),
                        .reached = select.number(15) != 0});
    }
    return rows;
}

}  // namespace

struct Bindings::Impl {
    using Clock = std::chrono::steady_clock;

    std::string path;
    Database database;  ///< null: it could not be opened yet
    std::optional<Statement> insert;
    std::optional<Statement> erase;
    std::chrono::milliseconds patience{};
    Clock::time_point tried;
    Error why;  ///< not

    [[nodiscard]] Result<void> open();
    [[nodiscard]] Result<void> set_aside_and_open(std::string& note);
    /// Whether there is a file to write to, perhaps since now.
    [[nodiscard]] Result<void> need();
    [[nodiscard]] Result<void> done(Statement& statement);
    [[nodiscard]] Result<void> write(const BindingRow& row);
    [[nodiscard]] Result<void> erase_row(const std::string& id);
    [[nodiscard]] Result<void> run(const char* text);
    [[nodiscard]] std::vector<BindingRow> read_only() const;
};

Result<void> Bindings::Impl::open() {
    tried = Clock::now();
    // SQLite would make the file readable for everybody: make it first.
    const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (made < 0) return fail_errno("state file " + path, errno);
    ::close(made);
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    Database fresh(raw);
    if (opened != SQLITE_OK || sqlite3_exec(raw, schema, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failure(raw, path);
    }
    if (!is_sound(raw)) return fail(Errc::bad_input, "state file: damaged", path);
    for (const char* column : newer_columns) sqlite3_exec(raw, column, nullptr, nullptr, nullptr);
    insert.emplace(raw, insert_text);
    erase.emplace(raw, remove_text);
    if (*insert && *erase && Statement(raw, load_text)) {
        database = std::move(fresh);
        return {};
    }
    auto error = failure(raw, path);
    insert.reset();
    erase.reset();
    return error;
}

Result<void> Bindings::Impl::set_aside_and_open(std::string& note) {
    auto opened = open();
    if (opened || opened.error().code != Errc::bad_input) return opened;
    const std::string old = path + ".old";
    if (std::rename(path.c_str(), old.c_str()) != 0) return fail_errno("rename " + path + " to " + old, errno);
    for (const char* beside : {"-wal", "-shm"}) std::rename((path + beside).c_str(), (old + beside).c_str());
    note = to_string(opened.error()) + "; it is set aside as " + old +
           ", and registrations begin anew: phones cannot be called until they register again";
    return open();
}

Result<void> Bindings::Impl::need() {
    if (database) return {};
    if (Clock::now() - tried < patience) return std::unexpected(why);
    std::string note;
    auto opened = set_aside_and_open(note);
    // What it holds is older than what the caller has.
    if (opened && sqlite3_exec(database.get(), "DELETE FROM bindings", nullptr, nullptr, nullptr) == SQLITE_OK)
        return {};
    if (opened) opened = failure(database.get(), path);
    insert.reset();
    erase.reset();
    database.reset();
    why = opened.error();
    return opened;
}

Result<void> Bindings::Impl::done(Statement& statement) {
    const int result = statement.step();
    statement.reset();
    if (result != SQLITE_DONE) return failure(database.get(), path);
    return {};
}

/// Without the log beside it, which cannot be read without writing: its last registrations may be missing.
std::vector<BindingRow> Bindings::Impl::read_only() const {
    sqlite3* raw = nullptr;
    const std::string uri = "file:" + path + "?immutable=1";
    const int opened = sqlite3_open_v2(uri.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
    const Database file(raw);
    if (opened != SQLITE_OK) return {};
    Statement select(raw, load_text);
    int last = SQLITE_ERROR;
    return rows_of(select, last);
}

Bindings::Bindings(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bindings::Bindings(Bindings&&) noexcept = default;
Bindings& Bindings::operator=(Bindings&&) noexcept = default;
Bindings::~Bindings() = default;

Result<Bindings> Bindings::open(const std::string& path) {
    if (path.empty()) return Bindings(nullptr);
    Bindings bindings(std::make_unique<Impl>());
    bindings.impl_->path = path;
    if (auto opened = bindings.impl_->set_aside_and_open(bindings.note_); !opened)
        return std::unexpected(opened.error());
    return bindings;
}

Bindings Bindings::open_or_wait(const std::string& path, std::chrono::milliseconds patience) {
    if (path.empty()) return Bindings(nullptr);
    Bindings bindings(std::make_unique<Impl>());
    bindings.impl_->path = path;
    bindings.impl_->patience = patience;
    if (auto opened = bindings.impl_->set_aside_and_open(bindings.note_); !opened) {
        bindings.impl_->why = opened.error();
        bindings.note_ = to_string(opened.error()) + "; registrations are kept in memory until it can be written";
    }
    return bindings;
}

bool Bindings::writable() const noexcept {
    return impl_ == nullptr || impl_->database != nullptr;
}

Result<void> Bindings::Impl::write(const BindingRow& row) {
    const std::string* texts[] = {&row.id,   &row.aor,   &row.contact, &row.instance,
                                  &row.flow, &row.place, &row.rule,    &row.site};
    int index = 1;
    for (const std::string* text : texts) insert->bind(index++, *text);
    insert->bind(index++, row.expires_ms);
    insert->bind(index++, row.call_id);
    insert->bind(index++, std::int64_t{row.cseq});
    insert->bind(index++, std::int64_t{row.q});
    insert->bind(index++, row.user_agent);
    insert->bind(index++, std::int64_t{row.authenticated});
    insert->bind(index++, row.server);
    insert->bind(index++, std::int64_t{row.reached});
    insert->bind(index++, row.registered_ms);
    return done(*insert);
}

Result<void> Bindings::Impl::erase_row(const std::string& id) {
    erase->bind(1, id);
    return done(*erase);
}

Result<void> Bindings::Impl::run(const char* text) {
    if (sqlite3_exec(database.get(), text, nullptr, nullptr, nullptr) != SQLITE_OK)
        return failure(database.get(), path);
    return {};
}

Result<void> Bindings::save(const BindingRow& row) {
    if (impl_ == nullptr) return {};
    if (auto open = impl_->need(); !open) return open;
    return impl_->write(row);
}

Result<void> Bindings::remove(const std::string& id) {
    if (impl_ == nullptr) return {};
    if (!impl_->database) return {};  // when the file can be written, it begins with what the caller has then
    return impl_->erase_row(id);
}

Result<void> Bindings::apply(std::span<const BindingRow> saved, std::span<const std::string> removed) {
    if (impl_ == nullptr || (saved.empty() && !impl_->database)) return {};
    if (auto open = impl_->need(); !open) return open;
    if (auto begun = impl_->run("BEGIN IMMEDIATE"); !begun) return begun;
    Result<void> done;
    for (const BindingRow& row : saved) {
        if (done) done = impl_->write(row);
    }
    for (const std::string& id : removed) {
        if (done) done = impl_->erase_row(id);
    }
    if (done) done = impl_->run("COMMIT");
    if (!done) sqlite3_exec(impl_->database.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return done;
}

Result<std::vector<BindingRow>> Bindings::load() const {
    if (impl_ == nullptr) return std::vector<BindingRow>();
    if (!impl_->database) return impl_->read_only();
    Statement select(impl_->database.get(), load_text);
    int last = SQLITE_ERROR;
    auto rows = rows_of(select, last);
    if (last != SQLITE_DONE) return failure(impl_->database.get(), impl_->path);
    return rows;
}

}  // namespace natkit::store
