// Bodies of the network's requests and answers. docs/formats/api.md
//
// They carry ids and sealed or signed bytes; whoever reads them on the way learns what the service
// learns. The version is the first part of every path, /v1.
#pragma once

#include "api/custodian.h"
#include "api/request.h"
#include "wire/fields.h"

namespace holdfast::api {

constexpr std::size_t kMaxAppendBody = 5 * 1024 * 1024;
constexpr std::size_t kMaxRecordBody = 4 * 1024 * 1024;
constexpr std::size_t kMaxErrorBody = 4 * 1024;
constexpr std::size_t kMaxConnections = 4096;
constexpr std::size_t kMaxReceipts = 256;
constexpr std::size_t kMaxGrants = 64;  // of one request for help
constexpr std::size_t kMaxLogView = 4 * 1024 * 1024;

struct AdmissionBody {
  RequestId request;
  Bytes mac;
  static constexpr auto kFields = wire::fields(&AdmissionBody::request, &AdmissionBody::mac);
};

struct AppendBody {
  Bytes statement;
  wire::Bounded<Bytes, 1024> blobs;
  std::optional<AdmissionBody> admission;
  std::optional<Bytes> lookup;
  static constexpr auto kFields = wire::fields(&AppendBody::statement, &AppendBody::blobs,
                                               &AppendBody::admission, &AppendBody::lookup);
};

struct ReceiptBody {
  std::optional<Bytes> promise;
  static constexpr auto kFields = wire::fields(&ReceiptBody::promise);
};

struct AdmittedBody {
  std::uint64_t seq = 0;
  Bytes mac;
  static constexpr auto kFields = wire::fields(&AdmittedBody::seq, &AdmittedBody::mac);
};

struct CapsuleBody {
  std::string account;
  Bytes capsule;
  static constexpr auto kFields = wire::fields(&CapsuleBody::account, &CapsuleBody::capsule);
};

// Statements of a circle, or records of a vault.
struct PageBody {
  wire::Bounded<Bytes, Session::kMaxPage> items;
  static constexpr auto kFields = wire::fields(&PageBody::items);
};

struct TimesBody {
  wire::Bounded<std::int64_t, Session::kMaxPage> times_ms;
  static constexpr auto kFields = wire::fields(&TimesBody::times_ms);
};

struct JoinsBody {
  wire::Bounded<RequestId, kMaxOpenJoins> requests;
  static constexpr auto kFields = wire::fields(&JoinsBody::requests);
};

struct PacksBody {
  wire::Bounded<PackId, kMaxHavePacks> packs;
  static constexpr auto kFields = wire::fields(&PacksBody::packs);
};

struct HaveBody {
  Bytes there;  // one byte for each pack asked for: 0 or 1
  static constexpr auto kFields = wire::fields(&HaveBody::there);
};

struct UsageBody {
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> quota;
  std::int64_t grace_ms = 0;
  std::optional<std::int64_t> deletion_ms;
  static constexpr auto kFields = wire::fields(&UsageBody::bytes, &UsageBody::quota,
                                               &UsageBody::grace_ms, &UsageBody::deletion_ms);
};

struct ConnectionBody {
  ReaderId caller;
  std::string address;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::uint64_t requests = 0;
  static constexpr auto kFields =
      wire::fields(&ConnectionBody::caller, &ConnectionBody::address, &ConnectionBody::first_ms,
                   &ConnectionBody::last_ms, &ConnectionBody::requests);
};

struct ConnectionsBody {
  wire::Bounded<ConnectionBody, kMaxConnections> connections;
  static constexpr auto kFields = wire::fields(&ConnectionsBody::connections);
};

struct CustodyBody {
  std::optional<std::int64_t> pending_since_ms;
  wire::Bounded<Bytes, kMaxReceipts> receipts;
  static constexpr auto kFields =
      wire::fields(&CustodyBody::pending_since_ms, &CustodyBody::receipts);
};

struct ChangeBody {
  std::uint64_t number = 0;
  static constexpr auto kFields = wire::fields(&ChangeBody::number);
};

struct VaultNumber {
  VaultId vault;
  std::uint64_t n = 0;
  static constexpr auto kFields = wire::fields(&VaultNumber::vault, &VaultNumber::n);
};

struct LogViewBody {
  Bytes checkpoint;
  wire::Bounded<Bytes, kMaxLogLeaves> leaves;
  std::optional<Bytes> audit;
  std::uint64_t circle_next = 0;
  Bytes circle_proof;
  std::uint64_t data_next = 0;
  wire::Bounded<VaultNumber, 64> data_heads;
  Bytes data_proof;
  static constexpr auto kFields =
      wire::fields(&LogViewBody::checkpoint, &LogViewBody::leaves, &LogViewBody::audit,
                   &LogViewBody::circle_next, &LogViewBody::circle_proof, &LogViewBody::data_next,
                   &LogViewBody::data_heads, &LogViewBody::data_proof);
};

struct BatchBody {
  Bytes position;
  std::optional<Bytes> opening;
  static constexpr auto kFields = wire::fields(&BatchBody::position, &BatchBody::opening);
};

struct BatchesBody {
  wire::Bounded<BatchBody, Session::kMaxPage> batches;
  static constexpr auto kFields = wire::fields(&BatchesBody::batches);
};

// ---- what a service sends its custodian: docs/formats/custody.md ----

struct CircleBody {
  CircleId circle;
  static constexpr auto kFields = wire::fields(&CircleBody::circle);
};

struct KeepBody {
  CircleId circle;
  ReaderId custodian;
  Bytes genesis;
  static constexpr auto kFields =
      wire::fields(&KeepBody::circle, &KeepBody::custodian, &KeepBody::genesis);
};

struct SeenBody {
  std::uint64_t statements = 0;
  std::uint64_t entries = 0;
  static constexpr auto kFields = wire::fields(&SeenBody::statements, &SeenBody::entries);
};

struct DestroyBody {
  CircleId circle;
  ReaderId custodian;
  wire::Bounded<Bytes, kMaxNewStatements> statements;
  Bytes lookup;
  Bytes roots;
  LogViewBody view;
  static constexpr auto kFields =
      wire::fields(&DestroyBody::circle, &DestroyBody::custodian, &DestroyBody::statements,
                   &DestroyBody::lookup, &DestroyBody::roots, &DestroyBody::view);
};

struct ShowBody {
  CircleId circle;
  wire::Bounded<Bytes, kMaxNewStatements> statements;
  Bytes lookup;
  Bytes roots;
  static constexpr auto kFields =
      wire::fields(&ShowBody::circle, &ShowBody::statements, &ShowBody::lookup, &ShowBody::roots);
};

struct RetireBody {
  CircleId circle;
  ReaderId custodian;
  static constexpr auto kFields = wire::fields(&RetireBody::circle, &RetireBody::custodian);
};

struct PositionBody {
  Digest label;
  Digest value;
  static constexpr auto kFields = wire::fields(&PositionBody::label, &PositionBody::value);
};

struct NextBatchBody {
  Bytes leaf;
  wire::Bounded<PositionBody, kMaxBatchAccounts> positions;
  static constexpr auto kFields = wire::fields(&NextBatchBody::leaf, &NextBatchBody::positions);
};
constexpr std::size_t kMaxNextBatchBody = 72U * 1024 * 1024;

struct OpeningBody {
  CircleId circle;
  Bytes opening;
  static constexpr auto kFields = wire::fields(&OpeningBody::circle, &OpeningBody::opening);
};

struct OpeningsBody {
  std::uint64_t batch = 0;
  wire::Bounded<OpeningBody, kMaxOpenings> openings;
  static constexpr auto kFields = wire::fields(&OpeningsBody::batch, &OpeningsBody::openings);
};
constexpr std::size_t kMaxOpeningsBody = 40U * 1024 * 1024;

struct OpenedBody {
  std::uint64_t batch = 0;
  CircleId last;
  static constexpr auto kFields = wire::fields(&OpenedBody::batch, &OpenedBody::last);
};

struct EvidenceBody {
  wire::Bounded<Bytes, kMaxNewStatements> statements;
  Bytes lookup;
  Bytes roots;
  LogViewBody view;
  static constexpr auto kFields = wire::fields(&EvidenceBody::statements, &EvidenceBody::lookup,
                                               &EvidenceBody::roots, &EvidenceBody::view);
};

struct ProposeHelpBody {
  CircleId circle;
  Bytes request;
  wire::Bounded<Bytes, kMaxGrants> grants;
  EvidenceBody evidence;
  static constexpr auto kFields =
      wire::fields(&ProposeHelpBody::circle, &ProposeHelpBody::request, &ProposeHelpBody::grants,
                   &ProposeHelpBody::evidence);
};

struct HeadBody {
  VaultId vault;
  std::uint64_t n = 0;
  Digest head;
  static constexpr auto kFields = wire::fields(&HeadBody::vault, &HeadBody::n, &HeadBody::head);
};

struct ListHelpBody {
  CircleId circle;
  std::uint64_t proposal = 0;
  Bytes age;
  wire::Bounded<HeadBody, kMaxHelpVaults> heads;
  EvidenceBody evidence;
  static constexpr auto kFields =
      wire::fields(&ListHelpBody::circle, &ListHelpBody::proposal, &ListHelpBody::age,
                   &ListHelpBody::heads, &ListHelpBody::evidence);
};

struct CompleteHelpBody {
  ListHelpBody due;
  wire::Bounded<Bytes, kMaxHelpVaults> envelopes;
  Bytes batch;
  static constexpr auto kFields =
      wire::fields(&CompleteHelpBody::due, &CompleteHelpBody::envelopes, &CompleteHelpBody::batch);
};

struct HelpGivenBody {
  Bytes statement;
  wire::Bounded<Bytes, kMaxHelpVaults> blobs;
  static constexpr auto kFields = wire::fields(&HelpGivenBody::statement, &HelpGivenBody::blobs);
};
constexpr std::size_t kMaxHelpGivenBody = 256U * 1024;

struct ListDisclosureBody {
  CircleId circle;
  Bytes order;
  EvidenceBody evidence;
  static constexpr auto kFields = wire::fields(
      &ListDisclosureBody::circle, &ListDisclosureBody::order, &ListDisclosureBody::evidence);
};

struct DiscloseBody {
  ListDisclosureBody what;
  wire::Bounded<Bytes, kMaxOrderedKeys> envelopes;
  Bytes batch;
  static constexpr auto kFields =
      wire::fields(&DiscloseBody::what, &DiscloseBody::envelopes, &DiscloseBody::batch);
};

struct DisclosedBody {
  wire::Bounded<Bytes, kMaxOrderedKeys> keys;
  Bytes opening;
  Bytes position;
  static constexpr auto kFields =
      wire::fields(&DisclosedBody::keys, &DisclosedBody::opening, &DisclosedBody::position);
};
constexpr std::size_t kMaxDisclosedBody = 256U * 1024;

// ---- refusals ----

// Every answer that is not 200. `service_time_ms` is what a proof must be made with.
struct ErrorBody {
  std::uint8_t code = 0;  // of Code, in its order, from 0
  std::string message;
  std::int64_t service_time_ms = 0;
  static constexpr auto kFields =
      wire::fields(&ErrorBody::code, &ErrorBody::message, &ErrorBody::service_time_ms);
};

}  // namespace holdfast::api
