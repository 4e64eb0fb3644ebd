package org.tensorflow.lite;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The signatures of LiteRT 1.x's Interpreter that LiteRtRunner calls. The model runs in LiteRT for
 * Python: a Backend, which the test sets, is the way there.
 */
public final class Interpreter implements AutoCloseable {
    /** The real interpreter, elsewhere. */
    public interface Backend {
        /** Names and shapes of a signature's outputs in the file's order; null is the only one. */
        Map<String, int[]> outputs(String signature);

        /** Values of an output, flat. Inputs go by the file's order, or by name. */
        float[] run(String signature, List<String> names, List<int[]> rows, String output);
    }

    public static Backend backend;

    public static final class Options {
        public Options setNumThreads(int threads) {
            if (threads < 1) {
                throw new IllegalArgumentException("threads: " + threads);
            }
            return this;
        }

        public Options addDelegate(Delegate delegate) {
            throw new UnsupportedOperationException("delegates need a phone");
        }
    }

    private boolean closed;

    public Interpreter(ByteBuffer model, Options options) {
        // The file's identifier, as the real interpreter wants it.
        if (options == null || model.get(4) != 'T' || model.get(5) != 'F' || model.get(6) != 'L') {
            throw new IllegalArgumentException("not a model");
        }
    }

    public Tensor getOutputTensor(int index) {
        final int[] shape = new ArrayList<>(backend.outputs(null).values()).get(index);
        return new Tensor() {
            @Override
            public int[] shape() {
                return shape;
            }
        };
    }

    public String[] getSignatureOutputs(String signature) {
        return backend.outputs(signature).keySet().toArray(new String[0]);
    }

    public void runForMultipleInputsOutputs(Object[] inputs, Map<Integer, Object> outputs) {
        List<String> names = new ArrayList<>(backend.outputs(null).keySet());
        List<int[]> rows = new ArrayList<>();
        for (Object input : inputs) {
            rows.add(((int[][]) input)[0]);
        }
        for (Map.Entry<Integer, Object> entry : outputs.entrySet()) {
            fill(entry.getValue(), backend.run(null, null, rows, names.get(entry.getKey())));
        }
    }

    public void runSignature(
            Map<String, Object> inputs, Map<String, Object> outputs, String signature) {
        List<String> names = new ArrayList<>(inputs.keySet());
        List<int[]> rows = new ArrayList<>();
        for (String name : names) {
            rows.add(((int[][]) inputs.get(name))[0]);
        }
        for (Map.Entry<String, Object> entry : outputs.entrySet()) {
            fill(entry.getValue(), backend.run(signature, names, rows, entry.getKey()));
        }
    }

    private void fill(Object array, float[] values) {
        float[] row = ((float[][]) array)[0];
        if (closed || row.length != values.length) {
            throw new IllegalArgumentException(row.length + " places, " + values.length + " values");
        }
        System.arraycopy(values, 0, row, 0, row.length);
    }

    @Override
    public void close() {
        closed = true;
    }
}
