// Devices that wait for a change over TLS: what each takes of the server's memory, and whom a
// change wakes.
#include <poll.h>

#include <thread>

#include "api/format.h"
#include "measures.h"
#include "member.h"

namespace holdfast::bench {
namespace {

constexpr std::size_t kPerAddress = 200;
constexpr std::int64_t kWaitMs = 60'000;
constexpr std::size_t kConnecting = 4;  // threads

struct Waiting {
  std::size_t account = 0;
  std::optional<Line> line;
};

Result<void> begin_wait(const Target& target, const Member& member, std::size_t number,
                        std::uint64_t seen, Waiting& one) {
  Target mine = target;
  mine.from = address_of(number, kPerAddress);
  one.line = TRY(Line::open(mine));
  return one.line->send(member.changes_head(seen, kWaitMs), {});
}

// Connects as many for each account, and leaves them waiting.
Result<std::vector<Waiting>> begin_all(const Target& target,
                                       const std::vector<std::unique_ptr<Member>>& members,
                                       const std::vector<std::uint64_t>& seen,
                                       std::size_t devices) {
  std::vector<Waiting> all(devices);
  std::vector<Result<void>> done(kConnecting, Result<void>(Ok{}));
  const auto work = [&](std::size_t thread) -> Result<void> {
    for (std::size_t i = thread; i < devices; i += kConnecting) {
      all[i].account = i % members.size();
      TRY(begin_wait(target, *members[all[i].account], i, seen[all[i].account], all[i]));
    }
    return Ok{};
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < kConnecting; ++t)
      threads.emplace_back([&, t] { done[t] = work(t); });
  }
  for (const auto& one : done) TRY(one);
  return all;
}

// Those with an answer to read, after a while.
std::vector<std::size_t> answered(const std::vector<Waiting>& all, int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  std::vector<pollfd> sockets;
  for (const Waiting& one : all) sockets.push_back({one.line->socket(), POLLIN, 0});
  ::poll(sockets.data(), sockets.size(), 0);
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (sockets[i].revents != 0) which.push_back(i);
  return which;
}

struct Woken {
  double right = 0;
  double wrong = 0;
};

Result<Woken> wake_one(const Target& target, Member& member, std::uint64_t seen,
                       std::vector<Waiting>& all, std::size_t account) {
  Line line = TRY(Line::open(target));
  TRY(member.change(line));
  Woken woken;
  for (const std::size_t i : answered(all, 1000)) {
    const auto answer = TRY(all[i].line->receive());
    const auto body = wire::decode<api::ChangeBody>(answer.body);
    const bool right = all[i].account == account && body.ok() && body->number > seen;
    (right ? woken.right : woken.wrong) += 1;
  }
  return woken;
}

}  // namespace

Result<void> idle(const Arguments& arguments) {
  const Target target{text(arguments, "port", "")};
  const std::string pid = text(arguments, "pid", "");
  const std::size_t devices = number(arguments, "devices", 1000);
  const std::size_t accounts = number(arguments, "accounts", 100);
  const auto members = TRY(make_members(target, "idle-", accounts));
  std::vector<std::uint64_t> seen;
  {
    Line line = TRY(Line::open({target.port, true, "127.0.1.1"}));
    for (std::size_t a = 0; a < accounts; ++a) {
      const std::uint64_t number = TRY(members[a]->changes(line, 0, 0));
      seen.push_back(number);
    }
  }
  const double before = resident_bytes(pid);
  const Moment begun = now();
  auto all = TRY(begin_all(target, members, seen, devices));
  const double connecting = seconds_since(begun);
  const double early = static_cast<double>(answered(all, 1500).size());
  const double after = resident_bytes(pid);
  const std::size_t which = accounts / 2;
  const Woken woken = TRY(wake_one(target, *members[which], seen[which], all, which));
  print_rows({{"kib_each", (after - before) / 1024 / static_cast<double>(devices)},
              {"kib_before", before / 1024},
              {"connect_seconds", connecting},
              {"answered_early", early},
              {"woken_of_the_account", woken.right},
              {"woken_of_others", woken.wrong},
              {"expected", static_cast<double>(devices / accounts)}});
  return Ok{};
}

}  // namespace holdfast::bench
