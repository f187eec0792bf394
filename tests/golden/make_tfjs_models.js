// node make_tfjs_models.js FOLDER: the models of golden/frameworks/tfjs_models, as TensorFlow.js 4.22.0 (npm @tensorflow/tfjs) saves them.
const tf=require('@tensorflow/tfjs'); const fs=require('fs'); tf.setBackend('cpu');
async function save(model,x,dir){ fs.mkdirSync(dir,{recursive:true});
  let seed=7; const next=()=>{seed=(seed*48271)%2147483647; return 2*(seed/2147483647-0.5)};
  const nested=(s)=>s.length?Array.from({length:s[0]},()=>nested(s.slice(1))):next();
  model.setWeights(model.getWeights().map(w=>tf.tensor(nested(w.shape))));
  await model.save({save: async (a)=>{ fs.writeFileSync(dir+'/weights.bin',Buffer.from(a.weightData));
    fs.writeFileSync(dir+'/model.json',JSON.stringify({modelTopology:a.modelTopology,format:a.format,generatedBy:a.generatedBy,convertedBy:null,weightsManifest:[{paths:['weights.bin'],weights:a.weightSpecs}]})); return {modelArtifactsInfo:{dateSaved:new Date(),modelTopologyType:'JSON'}};}});
  fs.writeFileSync(dir+'/xy.json',JSON.stringify({x:x,y:model.predict(tf.tensor(x)).arraySync()}));}
const L=tf.layers;
const x=[[[1,.5],[-.3,.2],[.7,-1],[0,0]],[[0,0],[.4,.4],[0,0],[-2,.1]],[[.1,.2],[.3,.4],[.5,.6],[.7,.8]]];
(async()=>{
 const a=tf.sequential(); a.add(L.masking({maskValue:0,inputShape:[4,2]})); a.add(L.lstm({units:3,returnSequences:true})); a.add(L.bidirectional({layer:L.gru({units:2,returnSequences:true}),mergeMode:'sum'})); a.add(L.dense({units:2,activation:'softmax'}));
 await save(a,x,process.argv[2]+'/a');
 const i=tf.input({shape:[4,2]}); let h=L.simpleRNN({units:3,returnSequences:true,goBackwards:true,activation:'relu'}).apply(i); h=L.layerNormalization().apply(h); h=L.timeDistributed({layer:L.dense({units:2})}).apply(h); h=L.gru({units:4,recurrentActivation:'sigmoid',useBias:false}).apply(h); h=L.dense({units:1,activation:'hardSigmoid'}).apply(h);
 await save(tf.model({inputs:i,outputs:h}),x,process.argv[2]+'/b');
 const b=tf.sequential(); b.add(L.bidirectional({layer:L.lstm({units:2}),inputShape:[4,2]})); await save(b,x,process.argv[2]+'/c');
 const c=tf.sequential(); c.add(L.masking({maskValue:0,inputShape:[4,2]})); c.add(L.bidirectional({layer:L.lstm({units:2,returnSequences:true})})); await save(c,x,process.argv[2]+'/d');
 const d=tf.sequential(); d.add(L.rnn({cell:[L.lstmCell({units:2}),L.gruCell({units:3})],returnSequences:true,inputShape:[4,2]})); await save(d,x,process.argv[2]+'/e');
})();
