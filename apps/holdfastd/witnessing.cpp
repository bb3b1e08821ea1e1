#include "witnessing.h"

#include <charconv>
#include <sstream>
#include <utility>

#include "base/file.h"

namespace holdfast::daemon {
namespace {

constexpr std::size_t kMaxPolicy = 64 * 1024;
constexpr std::size_t kMaxReply = 64 * 1024;
constexpr std::uint64_t kRenew_s = 60 * 60;  // cosignatures of a log in which nothing happens
constexpr int kEpochsATurn = 100;
constexpr std::int64_t kWitnessPatienceMs = 5'000;
constexpr std::int64_t kAuditPatienceMs = 120'000;  // a delta may have 80 MB
constexpr std::chrono::seconds kSlow{2};
constexpr std::chrono::seconds kRest{60};

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

Error rolled_back(std::uint64_t seen, std::uint64_t size) {
  return {Code::kUnsafe, "it has seen " + std::to_string(seen) +
                             " entries of this log, which has " + std::to_string(size) +
                             ": the service was put back from an older copy, and its log with it"};
}
Error another_tree(std::uint64_t size) {
  return {Code::kUnsafe,
          "it has seen another tree of " + std::to_string(size) +
              " entries that this log's key signed: the service was put back from an older copy, "
              "or somebody else has its key"};
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
      rest_until_(policy_.witnesses.size()),
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

// What waits goes first: nothing new is decided before it is shown. What stands is signed anew only
// once everything that was promised is in it: the promise may be due by then.
Result<void> Witnessing::turn() {
  server::PublicLog& log = *service_.log();
  for (int i = 0; i < 2; ++i) {
    TRY(service_.step_log());
    const auto due = log.due(kRenew_s);
    if (!due) break;
    const auto signatures = TRY(gather(*due));
    TRY(log.cosign(*due, signatures));
  }
  for (std::size_t i = 0; i < policy_.auditors.size(); ++i) {
    const auto audited = audit(policy_.auditors[i], epochs_[i]);
    if (!audited.ok()) warn("auditor", policy_.auditors[i], audited.error());
  }
  return Ok{};
}

void Witnessing::warn(Word event, const Peer& peer, const Error& error) const {
  log_.event(Level::kWarning, event, {{"name", Plain(peer.name)}, {"error", Plain(error.message)}});
}

// All at once, so that a silent one costs the others no more than its patience; and only once a
// minute while they are enough without it.
Result<std::vector<tlog::NoteSignature>> Witnessing::gather(const server::PublicLog::Due& due) {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::size_t> awake;
  std::vector<std::size_t> resting;
  for (std::size_t i = 0; i < policy_.witnesses.size(); ++i)
    (rest_until_[i] > now ? resting : awake).push_back(i);
  auto all = ask_all(awake, due);
  if (all.size() >= service_.log()->trusted().quorum()) return all;
  for (tlog::NoteSignature& one : ask_all(resting, due)) all.push_back(std::move(one));
  return all;
}

std::vector<tlog::NoteSignature> Witnessing::ask_all(const std::vector<std::size_t>& which,
                                                     const server::PublicLog::Due& due) {
  std::vector<std::optional<Result<tlog::NoteSignature>>> answers(which.size());
  {
    std::vector<std::jthread> asking;
    asking.reserve(which.size());
    for (std::size_t at = 0; at < which.size(); ++at)
      asking.emplace_back([&, at] {
        const auto began = std::chrono::steady_clock::now();
        answers[at] = ask(which[at], due);
        const auto ended = std::chrono::steady_clock::now();
        if (!answers[at]->ok() && ended - began > kSlow) rest_until_[which[at]] = ended + kRest;
      });
  }
  std::vector<tlog::NoteSignature> good;
  for (std::size_t at = 0; at < which.size(); ++at) {
    if (answers[at]->ok())
      good.push_back(std::move(*answers[at]).value());
    else
      warn("witness", policy_.witnesses[which[at]], answers[at]->error());
  }
  return good;
}

// Twice at most: the first answer may be the size that the witness has.
Result<tlog::NoteSignature> Witnessing::ask(std::size_t i, const server::PublicLog::Due& due) {
  const Peer& to = policy_.witnesses[i];
  for (int attempt = 0; attempt < 2; ++attempt) {
    tlog::AddCheckpoint request;
    request.old_size = sizes_[i];
    request.proof = TRY(service_.log()->consistency(sizes_[i], due.head.size));
    request.note = TRY(tlog::Note::parse(due.note));
    const std::string body = request.format();
    const net::Reply reply = TRY(net::post(to.address, to.pin, "/add-checkpoint", as_bytes(body),
                                           kMaxReply, kWitnessPatienceMs));
    if (reply.status == 200) {
      sizes_[i] = due.head.size;
      const auto signatures = TRY(tlog::parse_signatures(as_text(reply.body)));
      return service_.log()->pick(due, service_.log()->trusted().witnesses()[i], signatures);
    }
    if (reply.status != 409)
      return Error{Code::kDenied, "it answered " + std::to_string(reply.status) + ": " +
                                      std::string(as_text(reply.body).substr(0, 200))};
    const std::uint64_t has = TRY(tlog::parse_size(as_text(reply.body)));
    // Asked from there again the next time, should it have been a mistake.
    const std::uint64_t had = std::exchange(sizes_[i], has > due.head.size ? 0 : has);
    if (has > due.head.size) return rolled_back(has, due.head.size);
    if (has == had) return another_tree(has);
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
    const net::Reply reply = TRY(net::post(auditor.address, auditor.pin, "/audit",
                                           wire::encode(body), kMaxReply, kAuditPatienceMs));
    if (reply.status == 200) {
      TRY(service_.log()->add_audit(reply.body));
      ++at;
      continue;
    }
    if (reply.status != 409)
      return Error{Code::kDenied, "it answered " + std::to_string(reply.status) + ": " +
                                      std::string(as_text(reply.body).substr(0, 200))};
    const std::uint64_t has = TRY(tlog::parse_size(as_text(reply.body)));
    if (has == at) return Error{Code::kConflict, "it does not know its own epoch"};
    at = has;
  }
  return Ok{};
}

}  // namespace holdfast::daemon
