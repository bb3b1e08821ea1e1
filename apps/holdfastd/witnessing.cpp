#include "witnessing.h"

#include <charconv>
#include <sstream>

#include "base/file.h"

namespace holdfast::daemon {
namespace {

constexpr std::size_t kMaxPolicy = 64 * 1024;
constexpr std::size_t kMaxReply = 64 * 1024;
constexpr std::uint64_t kRenew_s = 60 * 60;  // cosignatures of a log in which nothing happens
constexpr int kEpochsATurn = 100;

Result<Peer> peer(const std::string& name, const std::string& url, const std::string& pin) {
  Peer out;
  out.name = name;
  out.address = TRY(net::parse_address(url));
  const auto bytes = from_hex(pin);
  if (!bytes || bytes->size() != 32)
    return Error{Code::kInvalid, "a TLS fingerprint has 64 hexadecimal digits"};
  out.pin = *bytes;
  return out;
}

Result<void> read_line(const std::string& line, WitnessPolicy& policy) {
  std::istringstream words(line.substr(0, line.find('#')));
  std::vector<std::string> w;
  for (std::string word; words >> word;) w.push_back(word);
  if (w.empty()) return Ok{};
  if (w[0] == "witness" && w.size() == 4) {
    const auto key = TRY(tlog::NoteKey::parse(w[1]));
    if (key.type != tlog::SignatureType::kCosignature)
      return Error{Code::kInvalid, "the key is not one of a witness"};
    policy.roots.witnesses.push_back({key.name, key.key.bytes});
    policy.witnesses.push_back(TRY(peer(key.name, w[2], w[3])));
    return Ok{};
  }
  if (w[0] == "auditor" && w.size() == 5) {
    const auto bytes = from_hex(w[2]);
    if (!bytes || bytes->size() != 32)
      return Error{Code::kInvalid, "an auditor's key has 64 hexadecimal digits"};
    tlog::KeyHolder holder{w[1], {}};
    std::ranges::copy(*bytes, holder.key.begin());
    policy.roots.auditors.push_back(holder);
    policy.auditors.push_back(TRY(peer(w[1], w[3], w[4])));
    return Ok{};
  }
  if (w[0] == "quorum" && w.size() == 2) {
    const auto [at, failed] =
        std::from_chars(w[1].data(), w[1].data() + w[1].size(), policy.roots.quorum);
    if (failed == std::errc() && at == w[1].data() + w[1].size()) return Ok{};
  }
  return Error{Code::kInvalid, "it is not a witness, an auditor or a quorum"};
}

}  // namespace

Result<WitnessPolicy> read_policy(const std::string& path) {
  WitnessPolicy policy;
  if (path.empty()) return policy;
  const Bytes bytes = TRY(read_file(path, kMaxPolicy));
  std::istringstream lines{std::string(as_text(bytes))};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    auto read = read_line(line, policy);
    if (!read.ok()) return std::move(read).error().in(path + ", line " + std::to_string(number));
  }
  return policy;
}

Witnessing::Witnessing(server::Service& service, WitnessPolicy policy, std::int64_t period_s,
                       const Log& log)
    : service_(service),
      policy_(std::move(policy)),
      period_s_(period_s),
      log_(log),
      sizes_(policy_.witnesses.size()),
      epochs_(policy_.auditors.size()),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Witnessing::~Witnessing() { thread_.request_stop(); }

void Witnessing::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto done = turn();
    if (!done.ok()) log_.event(Level::kError, "log", {{"error", Plain(done.error().message)}});
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, std::chrono::seconds(period_s_), [] { return false; });
  }
}

// What waits goes first: nothing new is decided before it is shown.
Result<void> Witnessing::turn() {
  server::PublicLog& log = *service_.log();
  for (int i = 0; i < 2; ++i) {
    if (const auto due = log.due(kRenew_s)) {
      const auto signatures = TRY(gather(*due));
      TRY(log.cosign(*due, signatures));
    }
    TRY(service_.step_log());
  }
  if (const auto due = log.due(kRenew_s)) {
    const auto signatures = TRY(gather(*due));
    TRY(log.cosign(*due, signatures));
  }
  for (std::size_t i = 0; i < policy_.auditors.size(); ++i)
    TRY(audit(policy_.auditors[i], epochs_[i]));
  return Ok{};
}

Result<std::vector<tlog::NoteSignature>> Witnessing::gather(const server::PublicLog::Due& due) {
  std::vector<tlog::NoteSignature> all;
  for (std::size_t i = 0; i < policy_.witnesses.size(); ++i) {
    auto one = ask(i, due);
    if (!one.ok()) {
      log_.event(
          Level::kWarning, "witness",
          {{"name", Plain(policy_.witnesses[i].name)}, {"error", Plain(one.error().message)}});
      continue;
    }
    for (tlog::NoteSignature& signature : *one) all.push_back(std::move(signature));
  }
  return all;
}

// Twice at most: the first answer may be the size that the witness has.
Result<std::vector<tlog::NoteSignature>> Witnessing::ask(std::size_t i,
                                                         const server::PublicLog::Due& due) {
  const Peer& to = policy_.witnesses[i];
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (sizes_[i] > due.head.size)
      return Error{Code::kUnsafe,
                   "it has seen " + std::to_string(sizes_[i]) + " entries of this log, which has " +
                       std::to_string(due.head.size) +
                       ": the service was put back from an older copy, and its log with it"};
    tlog::AddCheckpoint request;
    request.old_size = sizes_[i];
    request.proof = TRY(service_.log()->consistency(sizes_[i], due.head.size));
    request.note = TRY(tlog::Note::parse(due.note));
    const std::string body = request.format();
    const net::Reply reply =
        TRY(net::post(to.address, to.pin, "/add-checkpoint", as_bytes(body), kMaxReply));
    if (reply.status == 200) {
      sizes_[i] = due.head.size;
      return tlog::parse_signatures(as_text(reply.body));
    }
    if (reply.status != 409)
      return Error{Code::kDenied, "it answered " + std::to_string(reply.status) + ": " +
                                      std::string(as_text(reply.body).substr(0, 200))};
    sizes_[i] = TRY(tlog::parse_size(as_text(reply.body)));
  }
  return Error{Code::kConflict, "it does not know its own size"};
}

Result<void> Witnessing::audit(const Peer& auditor, std::uint64_t& at) {
  for (int i = 0; i < kEpochsATurn; ++i) {
    const auto next = TRY(service_.log()->next_audit(at));
    if (!next) return Ok{};
    tlog::AuditBody body;
    body.checkpoint = TRY(service_.log()->shown_note());
    body.index = next->index;
    body.leaf = next->leaf;
    for (const Digest& hash : next->inclusion) body.inclusion.push_back(hash);
    body.delta = next->delta;
    const net::Reply reply =
        TRY(net::post(auditor.address, auditor.pin, "/audit", wire::encode(body), kMaxReply));
    if (reply.status == 200) {
      TRY(service_.log()->add_audit(reply.body));
      ++at;
      continue;
    }
    if (reply.status != 409)
      return Error{Code::kDenied, "the auditor " + auditor.name + " answered " +
                                      std::to_string(reply.status) + ": " +
                                      std::string(as_text(reply.body).substr(0, 200))};
    const std::uint64_t has = TRY(tlog::parse_size(as_text(reply.body)));
    if (has == at) return Error{Code::kConflict, "the auditor does not know its own epoch"};
    at = has;
  }
  return Ok{};
}

}  // namespace holdfast::daemon
