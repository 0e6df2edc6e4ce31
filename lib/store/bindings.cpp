#include "natkit/store/bindings.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace natkit::store {
namespace {

constexpr const char* schema =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=2000;"
    "CREATE TABLE IF NOT EXISTS bindings (id TEXT PRIMARY KEY, aor TEXT NOT NULL, contact TEXT NOT NULL,"
    " instance TEXT NOT NULL, flow TEXT NOT NULL, place TEXT NOT NULL, rule TEXT NOT NULL, site TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL, q INTEGER NOT NULL,"
    " user_agent TEXT NOT NULL, authenticated INTEGER NOT NULL DEFAULT 0, server TEXT NOT NULL DEFAULT '')"
    " WITHOUT ROWID;";
/// What a file of an older version lacks; that it is there already is no error.
constexpr const char* newer_columns[] = {"ALTER TABLE bindings ADD COLUMN authenticated INTEGER NOT NULL DEFAULT 0",
                                         "ALTER TABLE bindings ADD COLUMN server TEXT NOT NULL DEFAULT ''"};

constexpr const char* insert_text =
    "INSERT OR REPLACE INTO bindings (id, aor, contact, instance, flow, place, rule, site, expires_ms, call_id, cseq, "
    "q,"
    " user_agent, authenticated, server) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)";
constexpr const char* remove_text = "DELETE FROM bindings WHERE id = ?1";
constexpr const char* load_text =
    "SELECT id, aor, contact, instance, flow, place, rule, site, expires_ms, call_id, cseq, q, user_agent,"
    " authenticated, server FROM bindings";

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

std::unexpected<Error> failure(sqlite3* database, const std::string& path) {
    return fail(Errc::system, std::string("state file: ") + (database ? sqlite3_errmsg(database) : "no memory"), path);
}

}  // namespace

struct Bindings::Impl {
    std::string path;
    Database database;
    Statement insert;
    Statement erase;

    Impl(std::string file, Database opened)
        : path(std::move(file)),
          database(std::move(opened)),
          insert(database.get(), insert_text),
          erase(database.get(), remove_text) {}
};

Bindings::Bindings(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bindings::Bindings(Bindings&&) noexcept = default;
Bindings& Bindings::operator=(Bindings&&) noexcept = default;
Bindings::~Bindings() = default;

Result<Bindings> Bindings::open(const std::string& path) {
    if (path.empty()) return Bindings(nullptr);
    // SQLite would make the file readable for everybody: make it first.
    const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (made < 0) return fail_errno("state file " + path, errno);
    ::close(made);
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database(raw);
    if (opened != SQLITE_OK || sqlite3_exec(raw, schema, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failure(raw, path);
    }
    for (const char* column : newer_columns) sqlite3_exec(raw, column, nullptr, nullptr, nullptr);
    auto impl = std::make_unique<Impl>(path, std::move(database));
    if (!impl->insert || !impl->erase) return failure(impl->database.get(), path);
    return Bindings(std::move(impl));
}

Result<void> Bindings::save(const BindingRow& row) {
    if (impl_ == nullptr) return {};
    Statement& insert = impl_->insert;
    const std::string* texts[] = {&row.id,   &row.aor,   &row.contact, &row.instance,
                                  &row.flow, &row.place, &row.rule,    &row.site};
    int index = 1;
    for (const std::string* text : texts) insert.bind(index++, *text);
    insert.bind(index++, row.expires_ms);
    insert.bind(index++, row.call_id);
    insert.bind(index++, std::int64_t{row.cseq});
    insert.bind(index++, std::int64_t{row.q});
    insert.bind(index++, row.user_agent);
    insert.bind(index++, std::int64_t{row.authenticated});
    insert.bind(index++, row.server);
    const int done = insert.step();
    insert.reset();
    if (done != SQLITE_DONE) return failure(impl_->database.get(), impl_->path);
    return {};
}

Result<void> Bindings::remove(const std::string& id) {
    if (impl_ == nullptr) return {};
    impl_->erase.bind(1, id);
    const int done = impl_->erase.step();
    impl_->erase.reset();
    if (done != SQLITE_DONE) return failure(impl_->database.get(), impl_->path);
    return {};
}

Result<std::vector<BindingRow>> Bindings::load() const {
    std::vector<BindingRow> rows;
    if (impl_ == nullptr) return rows;
    Statement select(impl_->database.get(), load_text);
    int step = select ? select.step() : SQLITE_ERROR;
    for (; step == SQLITE_ROW; step = select.step()) {
        rows.push_back({.id = select.text(0),
                        .aor = select.text(1),
                        .contact = select.text(2),
                        .instance = select.text(3),
                        .flow = select.text(4),
                        .place = select.text(5),
                        .rule = select.text(6),
                        .site = select.text(7),
                        .expires_ms = select.number(8),
                        .call_id = select.text(9),
                        .cseq = static_cast<std::uint32_t>(select.number(10)),
                        .q = static_cast<int>(select.number(11)),
                        .user_agent = select.text(12),
                        .authenticated = select.number(13) != 0,
                        .server = select.text(14)});
    }
    if (step != SQLITE_DONE) return failure(impl_->database.get(), impl_->path);
    return rows;
}

}  // namespace natkit::store
