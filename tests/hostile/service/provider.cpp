#include "provider.h"

#include <cstdio>
#include <set>

#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "custody/tables.h"
#include "custody/token.h"
#include "hostile/attack_parts.h"
#include "hostile/hostile_member.h"
#include "keys/envelopes.h"
#include "net/client.h"
#include "net/custodian_client.h"
#include "server/service.h"
#include "sql/sqlite.h"
#include "store/format.h"

namespace holdfast::hostile {
namespace {

void print_hex(BytesView bytes) { std::printf("%s\n", to_hex(bytes).c_str()); }

// Someone who reads an account as one of its devices, and sends nothing.
struct Reader {
  std::unique_ptr<api::Store> store;
  vault::Home home;
  std::unique_ptr<api::Session> session;
};
Result<Reader> open_reader(const Options& options) {
  const auto pin = from_hex(options.at("--pin"));
  if (!pin) return Error{Code::kInvalid, "--pin takes hexadecimal digits"};
  auto store = net::open_service(TRY(net::parse_address(options.at("--server"))), *pin, "");
  vault::Home home = TRY(vault::Home::open(options.at("--home")));
  TRY(home.unlock({}));
  auto session =
      TRY(store->open_account(home.setting("account"), vault::caller(home.device_key())));
  return Reader{std::move(store), std::move(home), std::move(session)};
}

}  // namespace

Result<void> forge(const Options& options) {
  const Reader reader = TRY(open_reader(options));
  const crypto::Ed25519Key fleet(TRY(crypto::load_or_make_key(options.at("--fleet"))));
  store::Entry row;
  row.statement = lowering_statement(*reader.session, circle_of(*reader.session), fleet,
                                     LoweredBy::kFleetAsMember);
  print_hex(wire::encode(row));
  return Ok{};
}

Result<void> leaf(const Options& options) {
  const Bytes bytes = TRY(read_file(options.at("--policy"), 1024 * 1024));
  const auto outer = TRY(wire::decode<tlog::SignedPolicy>(bytes));
  const auto policy = TRY(wire::decode<tlog::Policy>(outer.policy));
  tlog::PolicyLeaf entry;
  entry.version = policy.version;
  entry.policy = crypto::sha256(bytes);
  entry.in_effect_from_s = policy.in_effect_from_s;
  print_hex(wire::encode(entry));
  return Ok{};
}

// ---- a key that was kept ----

namespace {

using VaultKeys = std::map<std::uint32_t, keys::VaultKey>;  // by epoch

// Every key of the vault that envelopes to this custodian hold, and those that are sealed under
// them.
Result<VaultKeys> keys_of(const circle::Circle& circle, const circle::Custodian& custodian,
                          const VaultId& vault, api::Session& session,
                          const crypto::Key<crypto::WrapPurpose>& seed) {
  VaultKeys out;
  for (std::uint32_t epoch = circle.epoch(); epoch >= 1; --epoch) {
    const keys::Place place{circle.id(), epoch, vault};
    const auto own = circle.blob(epoch, {BlobKind::kVaultReader, custodian.id, vault});
    const auto later = out.find(epoch + 1);
    if (own.ok()) {
      const Bytes envelope = TRY(session.get_blob(*own));
      out.emplace(epoch, TRY(keys::unwrap_vault_key(seed, place, envelope)));
    } else if (later != out.end()) {
      const auto link = circle.blob(epoch + 1, {BlobKind::kVaultLink, {}, vault});
      if (!link.ok()) continue;
      const Bytes sealed = TRY(session.get_blob(*link));
      out.emplace(epoch, TRY(keys::open_vault_link(later->second, {circle.id(), epoch + 1, vault},
                                                   sealed)));
    }
  }
  return out;
}

// Of the objects of all packs in all tables that the vault ever had, those that these keys open.
std::set<PackId> opened_by(const VaultKeys& kept, const circle::Circle& circle,
                           const VaultId& vault, api::Session& session) {
  archive::VaultAccess access;
  access.circle = circle.id();
  access.vault = vault;
  for (const auto& [epoch, key] : kept)
    access.segment_keys.emplace(epoch, crypto::derive<keys::SegmentPurpose>(key));
  archive::PackCache cache(session, "");
  std::vector<archive::SegmentRef> tables;
  for (const Bytes& record : records_of(session, vault))
    for (const circle::KeySegmentRef& ref : record_in(record).key_segments)
      tables.push_back({ref.object, ref.epoch});
  archive::Findings findings;  // full of tables that the keys do not open
  const auto catalog =
      must(archive::Catalog::load(cache, access, tables, {}, findings, archive::Rebuild::kYes));
  std::set<PackId> out;
  for (std::uint32_t i = 0; i < catalog.pack_count(); ++i)
    for (const archive::PackObject& object : catalog.pack_at(i).objects) {
      const auto sealed = session.get_pack(object.name);
      if (sealed.ok() && archive::OpenPack::open(access.circle, vault, catalog.pack_at(i).id,
                                                 object.key, object.kind, *sealed)
                             .ok())
        out.insert(object.name);
    }
  return out;
}

}  // namespace

Result<void> kept(const Options& options) {
  Reader reader = TRY(open_reader(options));
  const circle::Circle circle = circle_of(*reader.session);
  const VaultId vault = circle.vault_named("main")->id;
  auto tables = TRY(custody::Tables::open(options.at("--custodian") + "/custody.db"));
  const auto token =
      TRY(custody::Token::open({options.at("--module"), "custody", options.at("--pin-file")}));
  std::set<PackId> opened;
  for (const circle::Custodian& custodian : circle.custodians()) {
    const auto row = TRY(tables.key(circle.id(), custodian.id));
    if (!row || row->seed.empty()) continue;
    const Bytes context = wire::encode_array("holdfast/v1/custody-seed", row->circle, row->number);
    const auto seed = TRY(token->open({row->circle, row->number}, context, row->seed));
    const VaultKeys keys = TRY(keys_of(circle, custodian, vault, *reader.session, seed));
    opened.merge(opened_by(keys, circle, vault, *reader.session));
  }
  const SystemClock clock;
  const HostileMember member(reader.home, *reader.store, clock);
  std::size_t listed = 0;
  std::size_t count = 0;
  for (const archive::PackKeyEntry& entry : member.all_keys()) {
    ++listed;
    if (opened.contains(archive::object_of(entry).name)) ++count;
  }
  std::printf("{\"event\":\"kept\",\"listed\":%zu,\"opened\":%zu}\n", listed, count);
  return Ok{};
}

// ---- a release that is not in the log ----

namespace {

// The custodian's door, behind which its batches get lost; asked what lists a release, it names
// one that the log has and that lists nothing.
class BatchesLost final : public api::Custodian {
 public:
  BatchesLost(std::unique_ptr<api::Custodian> inner, std::string database)
      : inner_(std::move(inner)), database_(std::move(database)) {}

  Result<Bytes> fleet_key() override { return inner_->fleet_key(); }
  Result<Bytes> issue(const CircleId& circle) override { return inner_->issue(circle); }
  Result<void> keep(const CircleId& circle, const ReaderId& custodian, BytesView genesis) override {
    return inner_->keep(circle, custodian, genesis);
  }
  Result<api::CustodianSeen> seen(const CircleId& circle) override { return inner_->seen(circle); }
  Result<void> follow(const api::LogView& view) override { return inner_->follow(view); }
  Result<void> show(const CircleId& circle, const api::CircleEvidence& evidence) override {
    return inner_->show(circle, evidence);
  }
  Result<void> retire(const CircleId& circle, const ReaderId& custodian) override {
    return inner_->retire(circle, custodian);
  }
  Result<Bytes> destroy(const CircleId& circle, const ReaderId& custodian,
                        const api::CircleEvidence& evidence) override {
    return inner_->destroy(circle, custodian, evidence);
  }
  Result<api::NextBatch> next_batch() override {
    return Error{Code::kUnavailable, "the service takes no batch"};
  }
  Result<api::DueOpenings> due_openings() override { return api::DueOpenings{}; }
  Result<void> opened(std::uint64_t, const CircleId&) override { return Ok{}; }
  Result<Bytes> propose_help(const CircleId& circle, const api::HelpAsk& ask,
                             const api::CircleEvidence& evidence) override {
    return inner_->propose_help(circle, ask, evidence);
  }
  Result<Bytes> list_help(const CircleId& circle, const api::HelpDue& due,
                          const api::CircleEvidence& evidence) override {
    const Bytes listed = TRY(inner_->list_help(circle, due, evidence));
    HF_CHECK(listed.empty());  // the honest answer: it is listed nowhere yet
    return logged_batch();
  }
  Result<api::HelpGiven> complete_help(const CircleId& circle, const api::HelpDue& due,
                                       const std::vector<Bytes>& envelopes, BytesView batch,
                                       const api::CircleEvidence& evidence) override {
    return inner_->complete_help(circle, due, envelopes, batch, evidence);
  }

 private:
  Result<Bytes> logged_batch() const {
    auto database = TRY(sql::Database::open(database_));
    auto rows = TRY(database.prepare("SELECT entry FROM log_leaf ORDER BY n DESC"));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Error{Code::kNotFound, "the log has no release batch"};
      const BytesView entry = TRY(rows.column_blob(0));
      if (wire::decode<tlog::ReleaseBatch>(entry).ok()) return to_bytes(entry);
    }
  }

  const std::unique_ptr<api::Custodian> inner_;
  const std::string database_;
};

}  // namespace

Result<void> demand(const Options& options) {
  const std::string data = options.at("--data");
  const auto pin = from_hex(options.at("--custodian-pin"));
  if (!pin) return Error{Code::kInvalid, "--custodian-pin takes hexadecimal digits"};
  auto tls = TRY(net::ServerTls::load_or_make(data));
  server::ServiceOptions wanted;
  wanted.data = data;
  wanted.tls_pin = tls.pin();
  wanted.log = TRY(log_of_before(data));
  BatchesLost custodian(
      net::open_custodian(TRY(net::parse_address(options.at("--custodian"))), *pin, std::move(tls)),
      data + "/service.db");
  wanted.custodian = &custodian;
  const auto service =
      TRY(server::Service::open(std::move(wanted), std::make_shared<SystemClock>()));
  const auto turn = service->step_releases();
  HF_CHECK(turn);
  std::printf("{\"event\":\"demanded\",\"given\":%zu,\"message\":\"%s\"}\n", turn->given.size(),
              turn->failed ? turn->failed->message.c_str() : "");
  return service->stop();
}

Result<server::LogOptions> log_of_before(const std::string& data) {
  const Bytes roots = TRY(read_file(data + "/log/roots", 64 * 1024));
  server::LogOptions log;
  log.folder = data + "/log";
  log.key_file = data + "/log.key";
  log.roots = TRY(wire::decode<tlog::LogRoots>(roots));
  log.name = log.roots.log.name;
  if (exists(data + "/log/policy-key"))
    log.policy_key = TRY(read_file(data + "/log/policy-key", 64));
  return log;
}

}  // namespace holdfast::hostile
