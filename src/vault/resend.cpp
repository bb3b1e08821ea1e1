#include "vault/resend.h"

#include <algorithm>
#include <functional>

#include "vault/account_state.h"
#include "vault/ages.h"

namespace holdfast::vault {
namespace {

using Read = std::function<Result<std::vector<Bytes>>(std::uint64_t from)>;

// One end of a list that only grows, as a store has it.
struct End {
  std::uint64_t n = 0;
  Bytes item;
};

// Looks back from `newest` in growing steps: what was lost is mostly little. nullopt: nothing is
// there from `first` on.
Result<std::optional<End>> find_end(const Read& read, std::uint64_t first, std::uint64_t newest) {
  std::uint64_t from = newest;
  for (std::uint64_t step = 1;; step *= 2) {
    std::vector<Bytes> page = TRY(read(from));
    if (!page.empty()) {
      const std::size_t last = std::min<std::size_t>(page.size() - 1, newest - from);
      return std::optional(End{from + last, std::move(page[last])});
    }
    if (from == first) return std::optional<End>();
    from -= std::min(step, from - first);
  }
}

Result<std::optional<End>> find_end(api::Session& session, std::uint64_t newest) {
  return find_end([&](std::uint64_t from) { return session.read_circle(from); }, 0, newest);
}

Result<std::optional<End>> find_end(api::Session& session, const VaultId& vault,
                                    std::uint64_t newest) {
  if (newest == 0) return std::optional<End>();
  return find_end([&](std::uint64_t from) { return session.read_records(vault, from); }, 1, newest);
}

Result<circle::Statement> open_statement(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  return wire::decode<circle::Statement>(outer.statement);
}

Result<bool> drops(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedRecord>(bytes));
  const auto record = TRY(wire::decode<circle::Record>(outer.record));
  return !record.dropped.empty();
}

// Both times are of what this device saw: the store is believed the number only.
std::string older(const std::string& what, const std::optional<TimeMs>& has, TimeMs saw) {
  return "the store is older than what this device saw: " +
         (has ? "the newest " + what + " it has is of " + human_time(*has)
              : "it has no " + what + " at all") +
         ", and this device saw one of " + human_time(saw) +
         ". If its operator says that it was put back from a backup, `holdfast account resend` "
         "gives it what it lost; if nobody says so, do not trust it";
}

Error forked() {
  return {
      Code::kUnsafe,
      "the store shows another history of this account than this device saw, so nothing can be "
      "sent: another device has gone on from the older copy, or the store is not to be trusted"};
}

// An account that this device saw, into a store that has less of it.
class Resender {
 public:
  Resender(Home& home, api::Session& session) : home_(home), session_(session) {}

  Result<ResendReport> run(const std::vector<Bytes>& statements) {
    const std::uint64_t next = TRY(first_missing(statements));
    TRY(load_records(statements));
    for (std::uint64_t seq = next; seq < statements.size(); ++seq)
      TRY(send_statement(statements[seq]));
    for (auto& [vault, chain] : chains_) TRY(send_records(vault, chain.records.size()));
    return report_;
  }

 private:
  struct Chain {
    std::vector<Bytes> records;  // records[i] has number i + 1
    std::uint64_t stored = 0;
  };

  Result<std::uint64_t> first_missing(const std::vector<Bytes>& statements) {
    const auto end = TRY(find_end(session_, statements.size() - 1));
    if (!end) return Error{Code::kNotFound, "the store has no such account"};
    if (end->item != statements[end->n]) return forked();
    return end->n + 1;
  }

  Result<void> load_records(const std::vector<Bytes>& statements) {
    const auto ages = TRY(log_ages(home_));
    std::optional<circle::Circle> circle;
    for (const Bytes& statement : statements)
      circle = TRY(circle ? circle->apply(statement) : circle::Circle::start(statement, ages));
    for (const circle::Vault& vault : circle->vaults()) {
      Chain chain{TRY(home_.records(vault.id)), 0};
      const auto end = TRY(find_end(session_, vault.id, chain.records.size()));
      if (end && end->item != chain.records[end->n - 1]) return forked();
      if (end) chain.stored = end->n;
      chains_.emplace(vault.id, std::move(chain));
    }
    return Ok{};
  }

  // A statement that brings keys names where each vault stood: those records come before it.
  Result<void> send_statement(const Bytes& bytes) {
    const circle::Statement statement = TRY(open_statement(bytes));
    const auto info = TRY(circle::epoch_info(statement));
    api::Append append{bytes, {}, std::nullopt};
    if (info) {
      for (const circle::VaultHead& head : info->vault_heads) TRY(send_records(head.vault, head.n));
      for (const BlobId& blob : info->blobs) {
        auto kept = home_.blob(blob);
        if (!kept.ok() && kept.error().code == Code::kNotFound)
          return Error{Code::kNotFound, "this device does not have the keys of statement " +
                                            std::to_string(statement.seq) +
                                            ": a device that was a member then has them"};
        append.blobs.push_back(TRY(std::move(kept)));
      }
    }
    TRY(session_.append(append));
    ++report_.statements;
    return Ok{};
  }

  Result<void> send_records(const VaultId& vault, std::uint64_t until) {
    const auto it = chains_.find(vault);
    if (it == chains_.end()) return Ok{};
    Chain& chain = it->second;
    for (; chain.stored < std::min<std::uint64_t>(until, chain.records.size()); ++chain.stored) {
      const Bytes& record = chain.records[chain.stored];
      TRY(session_.append_record(vault, record));
      ++report_.records;
      if (TRY(drops(record))) ++report_.drops;
    }
    return Ok{};
  }

  Home& home_;
  api::Session& session_;
  std::map<VaultId, Chain> chains_;
  ResendReport report_;
};

bool is_absent(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kDenied;
}

// A folder says at once that there is no account, a service with the first answer.
Result<bool> has_account(Home& home, api::Store& store) {
  auto session = store.open_account(home.setting("account"), caller(home.device_key()));
  if (!session.ok())
    return is_absent(session.error()) ? Result<bool>(false) : std::move(session).error();
  const auto page = (*session)->read_circle(0);
  if (page.ok()) return !page->empty();
  return is_absent(page.error()) ? Result<bool>(false) : page.error();
}

Result<void> make_again(Home& home, api::Store& store, const Bytes& genesis) {
  const circle::Statement statement = TRY(open_statement(genesis));
  const auto info = TRY(circle::epoch_info(statement));
  api::Append append{genesis, {}, std::nullopt};
  for (const BlobId& blob : info->blobs) {
    auto kept = home.blob(blob);
    if (!kept.ok())
      return Error{Code::kNotFound,
                   "the store does not know this device: what it has is older. Only a device that "
                   "has been a member for longer can send it what it lost"};
    append.blobs.push_back(std::move(kept).value());
  }
  if (TRY(wire::decode<circle::Genesis>(statement.body)).has_log)
    append.lookup = for_the_map(TRY(home.lookup()));
  TRY(store.create_account(home.setting("account"), append));
  return Ok{};
}

}  // namespace

Result<std::string> tell_older(api::Session& session, const std::vector<Bytes>& statements) {
  const circle::Statement newest = TRY(open_statement(statements.back()));
  const auto end = TRY(find_end(session, statements.size() - 1));
  std::optional<TimeMs> has;
  if (end) has = TRY(open_statement(statements[end->n])).time_ms;
  return older("statement", has, newest.time_ms);
}

Result<std::string> tell_older(api::Session& session, const VaultId& vault,
                               const std::vector<circle::LinkedRecord>& records) {
  const auto end = TRY(find_end(session, vault, records.size()));
  std::optional<TimeMs> has;
  if (end) has = records[end->n - 1].time_ms;
  const bool taken = std::holds_alternative<circle::Taken>(records.back().act);
  return older(taken ? "snapshot of a vault" : "record of a vault", has, records.back().time_ms);
}

Result<ResendReport> resend(Home& home, api::Store& store) {
  if (!home.is_member()) return Error{Code::kNotFound, "this device belongs to no account yet"};
  TRY(check_no_contradiction(home));
  const std::vector<Bytes> statements = TRY(home.statements());
  HF_CHECK(!statements.empty());
  const bool there = TRY(has_account(home, store));
  if (!there) TRY(make_again(home, store, statements.front()));
  const auto session = TRY(store.open_account(home.setting("account"), caller(home.device_key())));
  ResendReport report = TRY(Resender(home, *session).run(statements));
  if (!there) ++report.statements;
  return report;
}

}  // namespace holdfast::vault
