// One layer of RTNeural with its sizes as constants, as C functions: weights in, samples in, states out.
// Compiled by benchmarks/rtneural.py, a file for each H and kind: -DHIDDEN=32 -DKIND_LSTM=1.
#include <RTNeural/RTNeural.h>
#include <algorithm>
#include <vector>

#if KIND_LSTM
constexpr int GATES = 4;
using Layer = RTNeural::LSTMLayerT<float, 1, HIDDEN>;
#else
constexpr int GATES = 3;
using Layer = RTNeural::GRULayerT<float, 1, HIDDEN>;
#endif
using Rows = std::vector<std::vector<float>>;
static RTNeural::ModelT<float, 1, HIDDEN, Layer> model;

static Rows rows(const float* given, int count)
{
    Rows found;
    for(int k = 0; k < count; ++k)
        found.emplace_back(given + k * GATES * HIDDEN, given + (k + 1) * GATES * HIDDEN);
    return found;
}

extern "C" void set(const float* kernel, const float* recurrent, const float* bias)
{
    auto& layer = model.get<0>();
    layer.setWVals(rows(kernel, 1));
    layer.setUVals(rows(recurrent, HIDDEN));
#if KIND_LSTM
    layer.setBVals(rows(bias, 1)[0]);
#else
    layer.setBVals(rows(bias, 2));
#endif
    model.reset();
}

extern "C" void reset() { model.reset(); }

extern "C" void run(const float* x, float* y, long steps)
{
    for(long t = 0; t < steps; ++t)
    {
        model.forward(x + t);
        std::copy(model.getOutputs(), model.getOutputs() + HIDDEN, y + t * HIDDEN);
    }
}
