// What PUT and GET of large bodies cost a server in processor time.
#include <unistd.h>

#include <atomic>
#include <thread>

#include "measures.h"
#include "member.h"

namespace holdfast::bench {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

struct Plan {
  Target target;
  std::string method;
  std::string pids;
  std::size_t bodies;
  std::size_t size;
  std::size_t repeats;
  std::size_t connections;
  std::uint64_t seed;
};

Plan plan_of(const Arguments& all) {
  Plan plan;
  plan.target = {text(all, "port", ""), text(all, "tls", "yes") == "yes", "127.0.0.1"};
  plan.method = text(all, "method", "PUT");
  plan.pids = text(all, "pids", "");
  plan.bodies = number(all, "bodies", 4);
  plan.size = number(all, "mib", 16) * 1024 * 1024;
  plan.repeats = number(all, "repeats", 1);
  plan.connections = number(all, "connections", 2);
  plan.seed = number(all, "seed", 1);
  return plan;
}

// Different for each seed and place: a pack that is there already would not be stored again.
void number_body(Bytes& body, std::uint64_t seed, std::uint64_t i) {
  for (std::size_t b = 0; b < 8; ++b) {
    body[b] = static_cast<std::uint8_t>(seed >> (8 * b));
    body[8 + b] = static_cast<std::uint8_t>(i >> (8 * b));
  }
}

Bytes random_body(std::size_t size) {
  Bytes body(size);
  std::uint64_t state = 88172645463325252ULL;  // xorshift: the same in every run
  for (std::uint8_t& byte : body) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::uint8_t>(state);
  }
  return body;
}

struct Work {
  const Plan& plan;
  const Member& member;
  std::vector<Digest> names;
};

Result<void> put_some(const Work& work, Line& line, Bytes& body, std::size_t i) {
  number_body(body, work.plan.seed, i);
  const std::string target = "/v1/packs/" + work.names[i].hex();
  return expect_ok(line.ask(work.member.head("PUT", target, work.names[i], body.size()), body),
                   "a PUT");
}

Result<void> get_some(const Work& work, Line& line, std::size_t i) {
  const auto answer = work.member.get(line, "/v1/packs/" + work.names[i].hex());
  TRY(expect_ok(answer, "a GET"));
  if (answer->size == work.plan.size) return Ok{};
  return Error{Code::kCorrupt, "a GET brought another number of bytes"};
}

Result<void> run_connection(const Work& work, std::atomic<std::size_t>& next) {
  Line line = TRY(Line::open(work.plan.target));
  Bytes body = work.plan.method == "PUT" ? random_body(work.plan.size) : Bytes();
  for (std::size_t i = next++; i < work.plan.bodies * work.plan.repeats; i = next++) {
    const std::size_t which = i % work.plan.bodies;
    if (work.plan.method == "PUT")
      TRY(put_some(work, line, body, which));
    else
      TRY(get_some(work, line, which));
  }
  return Ok{};
}

Result<void> run_all(const Work& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<Result<void>> done(work.plan.connections, Result<void>(Ok{}));
  {
    std::vector<std::jthread> threads;
    for (auto& one : done) threads.emplace_back([&] { one = run_connection(work, next); });
  }
  for (const auto& one : done) TRY(one);
  return Ok{};
}

}  // namespace

// `pin`: whom the proofs are for; another server looks at neither.
Result<void> transfer(const Arguments& arguments) {
  const Plan plan = plan_of(arguments);
  const auto pin = from_hex(text(arguments, "pin", ""));
  if (!pin) return Error{Code::kInvalid, "--pin is hexadecimal"};
  Member member("transfer", *pin);
  if (text(arguments, "sign-up", "no") == "yes") {
    Line line = TRY(Line::open(plan.target));
    TRY(member.sign_up(line));
  }
  Work work{plan, member, {}};
  Bytes body = random_body(plan.size);
  for (std::size_t i = 0; i < plan.bodies; ++i) {
    number_body(body, plan.seed, i);
    work.names.push_back(crypto::sha256(body));
  }
  const double cpu_before = cpu_seconds(plan.pids);
  const Moment begun = now();
  TRY(run_all(work));
  const double seconds = seconds_since(begun);
  const double gib = static_cast<double>(plan.bodies * plan.repeats * plan.size) / kGiB;
  print_rows({{"cpu_per_gib", (cpu_seconds(plan.pids) - cpu_before) / gib},
              {"seconds_per_gib", seconds / gib}});
  return Ok{};
}

// SHA-256 alone, in this process.
Result<void> hash(const Arguments& arguments) {
  const std::size_t mib = number(arguments, "mib", 512);
  const Bytes piece = random_body(256 * 1024);
  const std::string self = std::to_string(::getpid());
  const double before = cpu_seconds(self);
  crypto::Sha256 hashed;
  for (std::size_t i = 0; i < 4 * mib; ++i) hashed.update(piece);
  static_cast<void>(hashed.finish());
  print_rows({{"cpu_per_gib", (cpu_seconds(self) - before) * 1024 / static_cast<double>(mib)}});
  return Ok{};
}

}  // namespace holdfast::bench
