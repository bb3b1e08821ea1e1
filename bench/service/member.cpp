#include "member.h"

#include <atomic>
#include <thread>

#include "api/format.h"
#include "base/mutex.h"

namespace holdfast::bench {
namespace {

constexpr std::size_t kSigningUp = 16;  // threads

std::vector<Bytes> blobs_of(const circle::Circle& circle, const circle::EpochInfo& info) {
  std::vector<Bytes> blobs;
  for (const BlobId& id : info.blobs)
    for (const circle::Epoch& epoch : circle.epochs())
      for (const auto& [slot, known] : epoch.blobs)
        if (known == id) blobs.push_back(testkit::blob_bytes(epoch.number, slot));
  return blobs;
}

}  // namespace

Result<void> expect_ok(const Result<Answer>& answer, std::string_view what) {
  if (!answer.ok()) return answer.error();
  if (answer->status / 100 == 2) return Ok{};
  const auto body = wire::decode<api::ErrorBody>(answer->body);
  return Error{Code::kUnavailable, std::string(what) + " was answered with " +
                                       std::to_string(answer->status) +
                                       (body.ok() ? ": " + body->message : "")};
}

Member::Member(const std::string& name, Bytes pin)
    : name_(name), pin_(std::move(pin)), maker_(testkit::make_device(name)) {}

std::string Member::head(const std::string& method, const std::string& target, const Digest& body,
                         std::uint64_t size) const {
  api::RequestProof proof;
  proof.account = name_;
  proof.caller = maker_.first.id;
  proof.body = body;
  proof.time_ms = SystemClock().now();
  crypto::random_fill(proof.nonce.bytes);
  api::sign_request(proof, {pin_, method, target}, *maker_.first.key);
  return method + " " + target +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + std::to_string(size) +
         "\r\nAuthorization: Holdfast " + to_hex(wire::encode(proof)) + "\r\n\r\n";
}

Result<void> Member::sign_up(Line& line) {
  api::AppendBody body;
  body.statement = maker_.statements().at(0);
  for (Bytes& blob : blobs_of(maker_.circle(), testkit::genesis_body(maker_.first).epoch))
    body.blobs.push_back(std::move(blob));
  const Bytes bytes = wire::encode(body);
  const std::string head =
      "POST /v1/accounts/" + to_hex(as_bytes(name_)) +
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + std::to_string(bytes.size()) +
      "\r\n\r\n";
  const auto answer = line.ask(head, bytes);
  if (answer.ok() && answer->status == 409) return Ok{};
  TRY(expect_ok(answer, "a sign-up"));
  const auto vault = maker_.set_vault("first");
  vault_ = maker_.add_vault("first");
  return post_statement(line, 1, vault.epoch);
}

Result<void> Member::change(Line& line) {
  const auto vault = maker_.set_vault("second");
  maker_.add_vault("second");
  return post_statement(line, 2, vault.epoch);
}

Result<void> Member::post_statement(Line& line, std::size_t seq, const circle::EpochInfo& info) {
  api::AppendBody body;
  body.statement = maker_.statements().at(seq);
  for (Bytes& blob : blobs_of(maker_.circle(), info)) body.blobs.push_back(std::move(blob));
  const Bytes bytes = wire::encode(body);
  return expect_ok(line.ask(head("POST", "/v1/circle", crypto::sha256(bytes), bytes.size()), bytes),
                   "a statement");
}

Result<Answer> Member::get(Line& line, const std::string& target) const {
  return line.ask(head("GET", target, crypto::sha256({}), 0), {});
}

Result<void> Member::put_pack(Line& line, BytesView pack) const {
  const Digest hash = crypto::sha256(pack);
  return expect_ok(line.ask(head("PUT", "/v1/packs/" + hash.hex(), hash, pack.size()), pack),
                   "a pack");
}

Bytes Member::make_record() {
  maker_.append_record(vault_, maker_.first);
  return maker_.records(vault_).back();
}

Result<void> Member::append_record(Line& line, BytesView record) const {
  const std::string target = "/v1/vaults/" + vault_.hex();
  return expect_ok(line.ask(head("POST", target, crypto::sha256(record), record.size()), record),
                   "a record");
}

std::string Member::changes_head(std::uint64_t seen, std::int64_t wait_ms) const {
  return head("GET",
              "/v1/changes?seen=" + std::to_string(seen) + "&wait=" + std::to_string(wait_ms),
              crypto::sha256({}), 0);
}

Result<std::uint64_t> Member::changes(Line& line, std::uint64_t seen, std::int64_t wait_ms) const {
  const auto answer = line.ask(changes_head(seen, wait_ms), {});
  TRY(expect_ok(answer, "a poll"));
  return TRY(wire::decode<api::ChangeBody>(answer->body)).number;
}

std::string address_of(std::size_t device, std::size_t per_address) {
  return "127.0.0." + std::to_string(2 + device / per_address);
}

Result<std::vector<std::unique_ptr<Member>>> make_members(const Target& target,
                                                          const std::string& prefix,
                                                          std::size_t count) {
  const Line first = TRY(Line::open(target));
  const Bytes pin = TRY(first.pin());
  std::vector<std::unique_ptr<Member>> members(count);
  std::atomic<std::size_t> next = 0;
  Mutex mutex;
  std::optional<Error> failed;
  const auto work = [&](std::size_t thread) -> Result<void> {
    Target mine = target;
    mine.from = address_of(thread, 1);
    Line line = TRY(Line::open(mine));
    for (std::size_t i = next++; i < count; i = next++) {
      members[i] = std::make_unique<Member>(prefix + std::to_string(i), pin);
      TRY(members[i]->sign_up(line));
    }
    return Ok{};
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < std::min(kSigningUp, count); ++t)
      threads.emplace_back([&, t] {
        const auto done = work(t);
        const Lock guard(mutex);
        if (!done.ok()) failed = done.error();
      });
  }
  if (failed) return *failed;
  return members;
}

}  // namespace holdfast::bench
