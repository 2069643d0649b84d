#include "store/store.h"

#include "store/database.h"
#include "store/migrations.h"
#include "store/rows.h"

namespace sallyport::store {

Store::Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& database, const Author& author) {
    auto opened = Database::open_locked(database);
    if (!opened) return std::unexpected(opened.error());
    if (auto migrated = migrate(**opened, author.at); !migrated) return std::unexpected(migrated.error());
    return std::unique_ptr<Store>(new Store(std::move(*opened)));
}

Result<Snapshot> Store::load_snapshot() {
    return database_->transact([](soci::session& sql) -> Result<Snapshot> {
        return Snapshot{.agents = select_agents(sql, "order by name"),
                        .credentials = select_credentials(sql, "where revoked = 0 order by created_at, id"),
                        .routes = select_routes(sql, "order by hostname, path_prefix"),
                        .tcp_routes = select_tcp_routes(sql, "order by listen")};
    });
}

Result<Snapshot> Store::load_snapshot(const AgentId& agent) {
    return database_->transact([&](soci::session& sql) -> Result<Snapshot> {
        return Snapshot{.agents = select_agents(sql, "where id = :value", agent.text),
                        .credentials = select_credentials(sql, "where agent_id = :value and revoked = 0 order by created_at, id", agent.text),
                        .routes = select_routes(sql, "where agent_id = :value order by hostname, path_prefix", agent.text),
                        .tcp_routes = select_tcp_routes(sql, "where agent_id = :value order by listen", agent.text)};
    });
}

Result<std::vector<AuditEntry>> Store::list_audit(std::size_t limit) {
    return database_->transact(
        [&](soci::session& sql) -> Result<std::vector<AuditEntry>> { return select_audit(sql, limit); });
}

Result<std::optional<std::string>> Store::get_meta(std::string_view key) {
    return database_->transact([&](soci::session& sql) -> Result<std::optional<std::string>> {
        const std::string name{key};
        std::string content;
        sql << "select content from meta where name = :name", soci::into(content), soci::use(name);
        return sql.got_data() ? std::optional(content) : std::nullopt;
    });
}

Result<> Store::set_meta(std::string_view key, std::string_view value) {
    return database_->transact([&](soci::session& sql) -> Result<> {
        const std::string name{key}, content{value};
        sql << "delete from meta where name = :name", soci::use(name);
        sql << "insert into meta (name, content) values (:name, :content)", soci::use(name), soci::use(content);
        return {};
    });
}

}  // namespace sallyport::store
