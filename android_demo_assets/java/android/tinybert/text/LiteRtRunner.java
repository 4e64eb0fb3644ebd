package tinybert.text;

import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;

/**
 * Runs a bundle's model with LiteRT's Interpreter.
 *
 * <p>Needs, in app/build.gradle, {@code implementation("com.google.ai.edge.litert:litert:1.4.2")}
 * or the older {@code implementation("org.tensorflow:tensorflow-lite:2.16.1")}: both hold the
 * package org.tensorflow.lite, which the artifact litert of LiteRT 2 was reported to lack
 * (LiteRT#4775). For the GPU also {@code com.google.ai.edge.litert:litert-gpu} of the same version,
 * and a {@code org.tensorflow.lite.gpu.GpuDelegate} as the last argument of {@link #open}.
 *
 * <p>Our tests compile this file against hand-written classes with LiteRT's signatures, behind
 * which LiteRT for Python runs the model: they have neither Android's nor LiteRT's Java classes.
 */
public final class LiteRtRunner implements Runner, AutoCloseable {
    private final Bundle bundle;
    private final Interpreter interpreter;
    private final int numLabels;

    private LiteRtRunner(Bundle bundle, Interpreter interpreter) {
        this.bundle = bundle;
        this.interpreter = interpreter;
        numLabels = interpreter.getOutputTensor(0).shape()[1];
    }

    /**
     * Opens the model of a bundle in the app's assets. Close it when done.
     *
     * @param folder the bundle's folder below assets, as in {@link AndroidAssets}
     * @param threads of the CPU; 2 suits most phones
     * @param delegate such as a GpuDelegate, which the caller closes after this; null for the CPU
     * @throws IOException if the model is absent, or compressed in the APK: keep
     *     {@code androidResources { noCompress += "tflite" }} in app/build.gradle
     */
    public static LiteRtRunner open(
            AssetManager assets, String folder, Bundle bundle, int threads, Delegate delegate)
            throws IOException {
        Interpreter.Options options = new Interpreter.Options();
        options.setNumThreads(threads);
        if (delegate != null) {
            options.addDelegate(delegate);
        }
        MappedByteBuffer model = map(assets, AndroidAssets.path(folder, bundle.modelFile));
        return new LiteRtRunner(bundle, new Interpreter(model, options));
    }

    private static MappedByteBuffer map(AssetManager assets, String path) throws IOException {
        try (AssetFileDescriptor file = assets.openFd(path);
                FileInputStream stream = new FileInputStream(file.getFileDescriptor())) {
            return stream.getChannel()
                    .map(
                            FileChannel.MapMode.READ_ONLY,
                            file.getStartOffset(),
                            file.getDeclaredLength());
        }
    }

    /** Interpreters are for one thread at a time, hence synchronized. */
    @Override
    public synchronized float[] run(String signature, int[][] inputs) {
        float[][] output = new float[1][numLabels];
        if (bundle.signatures.size() == 1) {
            Object[] rows = new Object[inputs.length];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = new int[][] {inputs[i]};
            }
            interpreter.runForMultipleInputsOutputs(
                    rows, Collections.<Integer, Object>singletonMap(0, output));
            return output[0];
        }
        Map<String, Object> rows = new HashMap<>();
        for (int i = 0; i < inputs.length; i++) {
            rows.put(bundle.inputs.get(i), new int[][] {inputs[i]});
        }
        String outputName = "";
        for (String name : interpreter.getSignatureOutputs(signature)) {
            if (!name.equals("attention")) {
                outputName = name;
            }
        }
        interpreter.runSignature(
                rows, Collections.<String, Object>singletonMap(outputName, output), signature);
        return output[0];
    }

    @Override
    public synchronized void close() {
        interpreter.close();
    }
}
