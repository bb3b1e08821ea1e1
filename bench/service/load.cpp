// Many devices that each back up a small change now and then, and wait for others' in between.
#include <random>
#include <thread>

#include "measures.h"
#include "member.h"

namespace holdfast::bench {
namespace {

constexpr std::size_t kPerAddress = 50;

struct Plan {
  Target target;
  double seconds = 0;
  std::int64_t think_ms = 0;  // on average, between two backups of a device
  std::size_t pack_bytes = 0;
};

struct Device {
  std::unique_ptr<Member> member;
  std::vector<double> put, append, poll;  // milliseconds
  Result<void> done = Ok{};
};

template <class Call>
Result<void> timed(std::vector<double>& into, const Call& call) {
  const Moment begun = now();
  TRY(call());
  into.push_back(seconds_since(begun) * 1000);
  return Ok{};
}

// One small backup: a pack, its record, and a look at the number of now.
Result<std::uint64_t> back_up(Device& device, Line& line, Bytes& pack) {
  crypto::random_fill(std::span(pack).first(32));
  TRY(timed(device.put, [&] { return device.member->put_pack(line, pack); }));
  const Bytes record = device.member->make_record();
  TRY(timed(device.append, [&] { return device.member->append_record(line, record); }));
  std::uint64_t seen = 0;
  const auto look = [&]() -> Result<void> {
    seen = TRY(device.member->changes(line, 0, 0));
    return Ok{};
  };
  TRY(timed(device.poll, look));
  return seen;
}

// The first wait spreads the devices over one think time.
Result<void> live(const Plan& plan, Device& device, std::size_t number, Moment begun) {
  std::mt19937_64 dice(number);
  std::uniform_int_distribution<std::int64_t> first(0, plan.think_ms);
  std::uniform_int_distribution<std::int64_t> think(plan.think_ms / 2, plan.think_ms * 3 / 2);
  Target mine = plan.target;
  mine.from = address_of(number, kPerAddress);
  Line line = TRY(Line::open(mine));
  std::uint64_t seen = TRY(device.member->changes(line, 0, 0));
  Bytes pack(plan.pack_bytes);
  crypto::random_fill(pack);
  for (std::int64_t wait = first(dice);; wait = think(dice)) {
    TRY(device.member->changes(line, seen, wait));
    if (seconds_since(begun) > plan.seconds) return Ok{};
    seen = TRY(back_up(device, line, pack));
  }
}

std::vector<double> all_of(const std::vector<Device>& devices,
                           std::vector<double> Device::* which) {
  std::vector<double> all;
  for (const Device& device : devices)
    all.insert(all.end(), (device.*which).begin(), (device.*which).end());
  return all;
}

void report(const std::vector<Device>& devices, double seconds, double server_cpu) {
  std::vector<Row> rows;
  double requests = 0;
  for (const auto& [name, which] :
       {std::pair{"put", &Device::put}, {"append", &Device::append}, {"poll", &Device::poll}}) {
    const std::vector<double> all = all_of(devices, which);
    requests += static_cast<double>(all.size());
    for (const auto& [part_name, part] : {std::pair{"p50", 0.5}, {"p99", 0.99}, {"max", 1.0}})
      rows.push_back({std::string(name) + "_" + part_name, part_of(all, part)});
  }
  double failed = 0;
  for (const Device& device : devices) failed += device.done.ok() ? 0 : 1;
  rows.push_back({"requests_per_second", requests / seconds});
  rows.push_back({"server_cores", server_cpu / seconds});
  rows.push_back({"devices_that_failed", failed});
  print_rows(rows);
}

}  // namespace

Result<void> load(const Arguments& arguments) {
  const Plan plan{{text(arguments, "port", "")},
                  static_cast<double>(number(arguments, "seconds", 20)),
                  static_cast<std::int64_t>(number(arguments, "think-ms", 10'000)),
                  number(arguments, "pack-bytes", 16 * 1024)};
  const std::string pids = text(arguments, "pids", "");
  const std::size_t count = number(arguments, "devices", 2000);
  auto members = TRY(make_members(plan.target, "load-", count));
  std::vector<Device> devices(count);
  for (std::size_t i = 0; i < count; ++i) devices[i].member = std::move(members[i]);
  const double cpu_before = cpu_seconds(pids);
  const Moment begun = now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i)
      threads.emplace_back([&, i] { devices[i].done = live(plan, devices[i], i, begun); });
  }
  report(devices, seconds_since(begun), cpu_seconds(pids) - cpu_before);
  for (const Device& device : devices) {
    if (device.done.ok()) continue;
    std::fprintf(stderr, "a device: %s\n", device.done.error().message.c_str());
    break;
  }
  return Ok{};
}

}  // namespace holdfast::bench
