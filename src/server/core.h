// What the service's sessions share: its tables, and the rules between them.
#pragma once

#include <shared_mutex>

#include "base/file.h"
#include "server/arriving.h"
#include "server/batching.h"
#include "server/changes.h"
#include "server/custody.h"
#include "server/helping.h"
#include "server/holdings.h"
#include "server/joins.h"
#include "server/lawful_store.h"
#include "server/loaded.h"
#include "server/log_ages.h"
#include "server/per_address.h"
#include "server/replay.h"
#include "server/service.h"
#include "server/storage.h"

namespace holdfast::server {

inline constexpr TimeMs kDayMs = 24 * 60 * 60 * 1000;
inline constexpr std::size_t kJoinsOfAnAddress = 24;  // waiting at one time

class Core final : public api::Visitor {
 public:
  static Result<std::unique_ptr<Core>> open(ServiceOptions options,
                                            std::shared_ptr<const Clock> clock);

  // ---- what a visitor may ask ----

  Result<std::vector<std::string>> accounts() override {
    return Error{Code::kDenied, "a service does not list its accounts"};
  }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    return sign_up(account, genesis, "", "");
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override;
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override;
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override;
  Result<Capsule> find_capsule(const LocateId& locate) override;
  Result<Bytes> get_log(const std::string& path) override;
  Result<Bytes> custodian_key(const CircleId& circle) override {
    return custodian_key_of("", "", circle);
  }

  Result<void> ask_help(const std::string& account, BytesView request) override {
    return ask_help_of("", account, request);
  }

  // ---- the service ----

  Result<api::Receipt> sign_up(const std::string& account, const api::Append& genesis,
                               const std::string& invitation, const std::string& peer);
  Result<void> put_join_of(const std::string& peer, const std::string& account,
                           const RequestId& request, api::JoinMessage which, BytesView message);
  Result<Bytes> custodian_key_of(const std::string& peer, const std::string& invitation,
                                 const CircleId& circle);
  Result<void> ask_help_of(const std::string& peer, const std::string& account, BytesView request);
  Result<std::unique_ptr<api::ServiceSession>> prove(const api::RequestProof& proof,
                                                     const api::RequestLine& line,
                                                     const std::string& address);
  TimeMs now() { return replay_->now(); }
  std::vector<std::pair<std::string, double>> gauges();
  Result<void> ready();
  Result<void> sweep();
  Result<void> stop();

  Accounts& rows() { return rows_; }
  Operators& operators() { return operators_; }
  PublicLog* log() { return log_.get(); }
  Result<api::StoredFile> open_log(const std::string& path);
  Result<bool> step_log();
  std::optional<CustodyTurn> step_custody();
  std::optional<ReleaseTurn> step_releases();
  Helping& helping() { return helping_; }
  Result<std::optional<circle::Circle>> circle_of(const std::string& account);
  // For lawful demands. (core_lawful.cpp)
  LawfulStore& lawful() { return lawful_; }
  Result<std::optional<Holdings>> holdings_of(const std::string& account);
  Result<std::vector<std::string>> alike(const std::string& account);
  Result<PreservedCopy> preserve(const std::string& account, std::uint64_t matter, TimeMs until_ms);
  Result<CaseTurn> disclose(const std::string& account, BytesView signed_order,
                            const std::string& folder);
  Result<void> state_no_key(const std::string& account, const std::string& folder);

  // ---- for sessions ----

  void changed(const std::string& account) {
    changes_.bump(account, now());
    if (options_.on_change) options_.on_change(account);
  }
  std::uint64_t change_of(const std::string& account) { return changes_.of(account); }
  Joins& joins() { return joins_; }
  Result<void> drop_join(const std::string& account, const RequestId& request);
  Storage& storage() { return *storage_; }
  ConnectionLog& connections() { return connections_; }
  TimeMs clock() const { return clock_->now(); }
  Result<void> commit(const std::string& account, api::PackSink& sink);
  Result<api::CustodyStatus> custody(store::Account& in, const std::string& account);
  Result<api::Usage> usage(const std::string& account);
  Result<api::Usage> delete_account(const std::string& account);
  Result<api::Usage> keep_account(const std::string& account);
  Result<std::unique_ptr<Arrival>> make_room(const std::string& account, const PackId& pack,
                                             std::uint64_t size);
  // kDenied while the policy in effect lets this account keep nothing new. (core_policy.cpp)
  Result<void> check_keeps(store::Account& in) const;
  Result<void> check_keeps_pack(store::Account& in, std::uint64_t size) const;
  Result<api::Receipt> append(store::Account& in, const std::string& account,
                              const api::Append& append);
  Result<api::Receipt> append_record(store::Account& in, const std::string& account,
                                     const VaultId& vault, BytesView record);

 private:
  struct Found {
    std::shared_ptr<store::Account> account;
    store::Account::Standing standing;
  };

  Result<void> open_public_log();
  Result<void> check_named(store::Account& in, BytesView statement);
  // Before and after the genesis is stored, with signing_up_ held.
  Result<bool> add_to_log(const std::string& account, const api::Append& genesis);
  Result<void> add_promise(const std::string& account, BytesView statement, api::Receipt& receipt);

  Core(ServiceOptions options, std::shared_ptr<const Clock> clock, FileLock lock,
       std::unique_ptr<Writer> writer, std::unique_ptr<Replay> replay,
       std::unique_ptr<Storage> storage)
      : options_(std::move(options)),
        clock_(std::move(clock)),
        lock_(std::move(lock)),
        writer_(std::move(writer)),
        replay_(std::move(replay)),
        storage_(std::move(storage)),
        rows_(*writer_),
        joins_(*writer_),
        sign_ups_(options_.sign_ups_per_address, kDayMs),
        connections_(*writer_),
        operators_(*writer_, options_.data + "/operators.anchor"),
        lawful_(options_.data, operators_),
        custody_(*writer_, options_.custodian, options_.sign_ups_per_address, kDayMs),
        batching_(*writer_, options_.custodian, options_.release_every_ms),
        helping_(*writer_, options_.custodian, operators_),
        loaded_(storage_->files(), options_.loaded_accounts, make_log_ages(*writer_)),
        changes_(replay_->now()),
        nobody_(crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random()).verify_key()) {}

  // kUnavailable unless `coming` bytes leave `floor` of the disk free.
  Result<void> check_disk(std::uint64_t coming, std::uint64_t floor) const;
  // For what is small and kept: it may use what packs had to leave, but not the last of it.
  Result<void> check_disk() const { return check_disk(0, options_.free_bytes_floor / 4); }
  // kUnavailable unless `coming` bytes fit into the account's quota. For what is small: it may use
  // more than packs may, so that a full account can still say what goes.
  Result<void> check_quota(const std::string& account, std::uint64_t coming);
  // The epoch of a record that undoes, where it may take room beyond the quota; the store accepts
  // no record of another epoch than the current one.
  Result<std::optional<std::uint32_t>> undoes_beyond(const std::string& account, BytesView record,
                                                     std::uint64_t size);
  // kDenied once the account's end has begun. Holds as long as writing_ is held.
  Result<void> check_lives(const std::string& account);
  // kDenied where what would be turned on is not offered. (core_policy.cpp)
  Result<void> check_offered(const api::Append& genesis) const;
  Result<void> check_offered(store::Account& in, BytesView statement) const;
  // Null: there is none, or its end has begun.
  Result<std::shared_ptr<store::Account>> open_account(const std::string& account);
  Result<std::optional<Found>> find_caller(const api::RequestProof& proof);
  Result<void> add_missing_rows();
  Result<void> note_circles();
  Result<api::Receipt> make_open(const std::string& account, const api::Append& genesis,
                                 const std::string& peer);
  Result<api::Receipt> make_account(const std::string& account, const api::Append& genesis);
  Result<api::Receipt> make_invited(const std::string& account, const api::Append& genesis,
                                    const std::string& invitation);
  Result<bool> was_made(const std::string& account, const Digest& genesis);
  Result<void> catch_up(store::Account& in, const std::string& account, const VaultId& vault);
  Result<void> bind_lawful();
  Result<void> sweep_drops();
  Result<void> sweep_pack(const AccountPack& pack);
  Result<void> end_account(const std::string& account);

  const ServiceOptions options_;
  const std::shared_ptr<const Clock> clock_;
  const FileLock lock_;
  const std::unique_ptr<Writer> writer_;
  const std::unique_ptr<Replay> replay_;
  const std::unique_ptr<Storage> storage_;
  std::unique_ptr<PublicLog> log_;  // may be null; set before anything is served
  Accounts rows_;
  Joins joins_;
  PerAddress<std::pair<std::string, RequestId>> open_joins_{kJoinsOfAnAddress, kJoinLifeMs};
  PerAddress<std::string> sign_ups_;
  ConnectionLog connections_;
  Operators operators_;
  LawfulStore lawful_;
  Custody custody_;
  Batching batching_;
  Helping helping_;
  Loaded loaded_;
  Changes changes_;
  Arriving arriving_;
  const crypto::VerifyKey nobody_;  // unknown callers are verified against it
  Mutex signing_up_;                // held while an account that has a log is made
  Mutex inviting_;                  // held while an invitation becomes an account
  Mutex sweeping_;
  // Held, shared, by whoever stores something; alone by a sweep, where it decides what goes.
  std::shared_mutex writing_;
};

}  // namespace holdfast::server
