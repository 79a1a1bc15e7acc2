// What AliceO2 does with the files of fast simulation, call for call, through the C API of any
// ONNX Runtime from 1.16 on. Written from the contract (export/o2.py); no code of O2 or of ONNX
// Runtime is in here, and no header of theirs is needed:
//
//   g++ -std=c++17 -O2 o2_reader.cpp -o o2_reader -ldl
//   o2_reader libonnxruntime.so classifier.onnx classifier_scales.txt generator.onnx scales.txt 44 44
//
// Standard input: rows of 9 numbers (O2's units: charge in |e|/3) and 10 of noise, as text.
// Standard output: a row each: 1 if the generator ran, the five sectors, the photons [x][y]; at the
// end the median time of both networks for a particle that they simulate, in us, or nan.

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace ort {
// The API is a table of functions that only ever grows at its end. These are places in its first
// version, which "cannot change" (the runtime's own assertion): only what O2 calls is named.
enum Place : std::size_t {
  GetErrorMessage = 2, CreateEnv = 3, CreateSession = 7, Run = 9, CreateSessionOptions = 10,
  SetIntraOpNumThreads = 24, SessionGetInputCount = 30, SessionGetOutputCount = 31,
  SessionGetInputTypeInfo = 33, SessionGetInputName = 36, SessionGetOutputName = 37,
  CreateTensorWithData = 49, GetTensorMutableData = 51, CastTypeInfoToTensorInfo = 55,
  GetDimensionsCount = 61, GetDimensions = 62, GetTensorShapeElementCount = 64,
  GetTensorTypeAndShape = 65, CreateCpuMemoryInfo = 69, GetAllocatorWithDefaultOptions = 78,
  ReleaseStatus = 93, ReleaseValue = 96, ReleaseTypeInfo = 98, ReleaseTensorTypeAndShapeInfo = 99,
};
constexpr std::uint32_t API_VERSION = 16;
constexpr int LOG_FATAL_ONLY = 4, FLOAT = 1, DEVICE_ALLOCATOR = 0, MEMORY_CPU = -1;

struct Base {
  void* const* (*api)(std::uint32_t version);
  const char* (*version)();
};
using Handle = void*;  // every object of the API is opaque

class Library {
 public:
  explicit Library(const std::string& path) {
    void* loaded = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (loaded == nullptr) throw std::runtime_error(dlerror());
    auto base = reinterpret_cast<const Base* (*)()>(dlsym(loaded, "OrtGetApiBase"));
    if (base == nullptr) throw std::runtime_error(path + " has no OrtGetApiBase");
    table = base()->api(API_VERSION);
    if (table == nullptr) throw std::runtime_error(path + " is older than ONNX Runtime 1.16");
  }

  // Calls a function that returns a status; an error becomes an exception, as in Ort::ThrowOnError.
  template <typename... Arguments>
  void call(Place place, Arguments... arguments) const {
    auto function = reinterpret_cast<Handle (*)(Arguments...)>(table[place]);
    if (Handle status = function(arguments...); status != nullptr) {
      auto message = reinterpret_cast<const char* (*)(Handle)>(table[GetErrorMessage]);
      std::string text = message(status);
      release(ReleaseStatus, status);
      throw std::runtime_error(text);
    }
  }

  void release(Place place, Handle object) const {
    reinterpret_cast<void (*)(Handle)>(table[place])(object);
  }

 private:
  void* const* table = nullptr;
};
}  // namespace ort

using Row = std::vector<float>;

// One network: session, names and shapes as O2 holds them.
class Network {
 public:
  Network(const ort::Library& library, const std::string& path) : ort_(library) {
    ort::Handle environment = nullptr, options = nullptr, allocator = nullptr;
    ort_.call(ort::CreateEnv, ort::LOG_FATAL_ONLY, "o2-fast-sim", &environment);
    ort_.call(ort::CreateSessionOptions, &options);
    ort_.call(ort::SetIntraOpNumThreads, options, 1);
    ort_.call(ort::CreateSession, environment, path.c_str(), options, &session_);
    ort_.call(ort::CreateCpuMemoryInfo, ort::DEVICE_ALLOCATOR, ort::MEMORY_CPU, &memory_);
    ort_.call(ort::GetAllocatorWithDefaultOptions, &allocator);
    readInputs(allocator);
    std::size_t outputs = 0;
    ort_.call(ort::SessionGetOutputCount, session_, &outputs);
    for (std::size_t i = 0; i < outputs; ++i) {
      char* name = nullptr;
      ort_.call(ort::SessionGetOutputName, session_, i, allocator, &name);
      outputNames_.push_back(name);
    }
  }

  std::size_t inputs() const { return inputNames_.size(); }

  // Runs the session on these inputs, batch 1, and returns the first output as it lies in memory.
  Row run(std::vector<Row> data) const {
    if (data.size() != inputs()) throw std::runtime_error("another number of inputs");
    std::vector<ort::Handle> tensors(data.size(), nullptr), results(outputNames_.size(), nullptr);
    for (std::size_t i = 0; i < data.size(); ++i) {
      ort_.call(ort::CreateTensorWithData, memory_, static_cast<void*>(data[i].data()),
                data[i].size() * sizeof(float), shapes_[i].data(), shapes_[i].size(), ort::FLOAT,
                &tensors[i]);
    }
    ort_.call(ort::Run, session_, ort::Handle(nullptr), inputNames_.data(), tensors.data(),
              tensors.size(), outputNames_.data(), outputNames_.size(), results.data());
    Row values = copied(results[0]);
    for (ort::Handle value : tensors) ort_.release(ort::ReleaseValue, value);
    for (ort::Handle value : results) ort_.release(ort::ReleaseValue, value);
    return values;
  }

 private:
  void readInputs(ort::Handle allocator) {
    std::size_t count = 0;
    ort_.call(ort::SessionGetInputCount, session_, &count);
    for (std::size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      ort_.call(ort::SessionGetInputName, session_, i, allocator, &name);
      inputNames_.push_back(name);
      ort::Handle type = nullptr, tensor = nullptr;
      ort_.call(ort::SessionGetInputTypeInfo, session_, i, &type);
      ort_.call(ort::CastTypeInfoToTensorInfo, type, &tensor);
      if (tensor == nullptr) throw std::runtime_error("an input is no tensor");
      std::size_t rank = 0;
      ort_.call(ort::GetDimensionsCount, tensor, &rank);
      std::vector<std::int64_t> shape(rank);
      ort_.call(ort::GetDimensions, tensor, shape.data(), rank);
      for (auto& size : shape) size = size < 0 ? 1 : size;  // symbolic: a batch of one
      shapes_.push_back(shape);
      ort_.release(ort::ReleaseTypeInfo, type);
    }
  }

  Row copied(ort::Handle value) const {
    ort::Handle information = nullptr;
    std::size_t count = 0;
    float* data = nullptr;
    ort_.call(ort::GetTensorTypeAndShape, value, &information);
    ort_.call(ort::GetTensorShapeElementCount, information, &count);
    ort_.release(ort::ReleaseTensorTypeAndShapeInfo, information);
    ort_.call(ort::GetTensorMutableData, value, reinterpret_cast<void**>(&data));
    return Row(data, data + count);
  }

  const ort::Library& ort_;
  ort::Handle session_ = nullptr, memory_ = nullptr;
  std::vector<const char*> inputNames_, outputNames_;
  std::vector<std::vector<std::int64_t>> shapes_;
};

// Numbers behind a line that is exactly `option`, up to an empty line; std::stof as in O2.
Row parseBlock(std::istream& input, const std::string& option) {
  std::string line;
  while (std::getline(input, line) && line != option) {
  }
  Row numbers;
  while (std::getline(input, line) && !line.empty()) numbers.push_back(std::stof(line));
  return numbers;
}

struct Scales {
  Row means, scales;

  explicit Scales(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + " cannot be opened");
    means = parseBlock(file, "#means");
    scales = parseBlock(file, "#scales");
    if (means.size() != 9 || scales.size() != 9) {
      throw std::runtime_error(path + " does not hold nine means and nine scales");
    }
  }

  Row apply(const Row& raw) const {
    Row scaled(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) scaled[i] = (raw[i] - means[i]) / scales[i];
    return scaled;
  }
};

// Sector of a fibre: 0 is common, 1 to 4 the towers; 44 columns are the ZN, 56 the ZP.
int sector(int x, int y, int nx, int ny) {
  if ((x + y) % 2 == 0) return 0;
  if (nx == 56) return static_cast<int>(4.0 * x / nx) + 1;
  return 1 + (x < nx / 2 ? 0 : 1) + (y < ny / 2 ? 0 : 2);
}

// Prints the response, and returns the time of the networks in us; below 0 if only one ran.
double respond(const Network& classifier, const Scales& classifierScales, const Network& generator,
               const Scales& scales, const Row& raw, const Row& noise, int nx, int ny) {
  const auto start = std::chrono::steady_clock::now();
  double microseconds = -1;
  const Row answer = classifier.run({classifierScales.apply(raw)});
  const bool simulated = std::round(answer.at(0)) != 0;
  std::vector<int> photons(static_cast<std::size_t>(nx) * ny, 0);
  std::array<long, 5> sectors{};
  if (simulated) {
    const Row values = generator.run({noise, scales.apply(raw)});
    const auto time = std::chrono::steady_clock::now() - start;
    microseconds = std::chrono::duration<double, std::micro>(time).count();
    if (values.size() < photons.size()) throw std::runtime_error("too few values");
    for (int y = 0; y < ny; ++y) {
      for (int x = 0; x < nx; ++x) {
        const int nphe = static_cast<int>(std::expm1(values[nx * y + x]));
        if (nphe <= 0) continue;
        photons[ny * x + y] = nphe;
        sectors[sector(x, y, nx, ny)] += nphe;
      }
    }
  }
  std::printf("%d", simulated ? 1 : 0);
  for (long sum : sectors) std::printf(" %ld", sum);
  for (int count : photons) std::printf(" %d", count);
  std::printf("\n");
  return microseconds;
}

double median(std::vector<double> values) {
  if (values.empty()) return NAN;
  const auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

int main(int count, char** arguments) {
  if (count != 8) {
    std::fprintf(stderr, "%s LIBRARY CLASSIFIER SCALES GENERATOR SCALES NX NY\n", arguments[0]);
    return 2;
  }
  try {
    const ort::Library library(arguments[1]);
    const Network classifier(library, arguments[2]);
    const Scales classifierScales(arguments[3]);
    const Network generator(library, arguments[4]);
    const Scales scales(arguments[5]);
    const int nx = std::atoi(arguments[6]), ny = std::atoi(arguments[7]);
    std::vector<double> times;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream numbers(line);
      Row raw(9), noise(10);
      for (float& value : raw) numbers >> value;
      for (float& value : noise) numbers >> value;
      if (!numbers) throw std::runtime_error("a row of standard input has no 19 numbers");
      const double time =
          respond(classifier, classifierScales, generator, scales, raw, noise, nx, ny);
      if (time >= 0) times.push_back(time);
    }
    std::printf("%g\n", median(times));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
