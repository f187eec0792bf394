#!/usr/bin/env bash
# brain.js 1.6.1 (npm): recurrent.LSTMTimeStep (and LSTM) has no cell state. What is called retainCell is the forget
# gate times the *output* of the step before, and nothing else goes from step to step:
#     c_t = f * h_{t-1} + i * g,  h_t = o * tanh(c_t)   where an LSTM has   c_t = f * c_{t-1} + i * g.
#
# So a forget gate of 1 and an input gate of 0 do not keep a value: it is squashed by tanh and the output gate at every
# step, and the constant error carousel, the reason for an LSTM, is not there. Weights cannot be carried over to any
# other framework's LSTM.
#
# Seen: net.run equals the first equation to 1e-6 over five steps, and is off the LSTM's by more than 0.01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --ignore-scripts --no-audit --no-fund brain.js@1.6.1 > /dev/null
cat > run.js <<'JS'
const brain = require('brain.js');
const xs = [[0.9, 0], [0.1, 0], [-0.4, 0], [0.3, 0], [-0.9, 0]];
const net = new brain.recurrent.LSTMTimeStep({inputSize: 2, hiddenLayers: [1], outputSize: 2});
net.train([xs], {iterations: 1, log: false});
const layer = net.model.hiddenLayers[0];
const gates = ['input', 'forget', 'output', 'cellActivation'];
const w = {};
gates.forEach((gate, k) => {
  w[gate] = {};
  ['Matrix', 'Hidden', 'Bias'].forEach((part, n) => {
    w[gate][part] = layer[gate + part].weights[0] = Math.fround(0.9 - 0.3 * k + 0.45 * n);
  });
});
net.model.outputConnector.weights[0] = 1;
net.model.output.weights[0] = 0;
const s = (x) => 1 / (1 + Math.exp(-x));
const equation = (withCell) => {
  let h = 0, c = 0;
  return xs.map(([x]) => {
    const z = (gate) => w[gate].Matrix * x + w[gate].Hidden * h + w[gate].Bias;
    const [i, f, o, g] = [s(z('input')), s(z('forget')), s(z('output')), Math.tanh(z('cellActivation'))];
    c = f * (withCell ? c : h) + i * g;
    h = o * Math.tanh(c);
    return h;
  });
};
const theirs = xs.map((_, n) => net.run(xs.slice(0, n + 1))[0]);
const off = (wanted) => Math.max(...wanted.map((v, t) => Math.abs(v - theirs[t])));
const [without, proper] = [off(equation(false)), off(equation(true))];
console.log(theirs, 'without a cell state', without, 'an LSTM', proper);
if (!(without < 1e-6 && proper > 0.01)) throw new Error('it changed');
JS
node run.js
