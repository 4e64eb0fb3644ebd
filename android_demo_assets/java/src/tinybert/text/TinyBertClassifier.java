package tinybert.text;

import java.util.Map;

/**
 * Classifies texts with a bundle: text to ids, the model, probabilities to labels.
 *
 * <pre>{@code
 * Bundle bundle = Bundle.read(assets);
 * TinyBertClassifier classifier = new TinyBertClassifier(bundle, runner);
 * Classification answer = classifier.classify("wake me at seven");
 * }</pre>
 */
public final class TinyBertClassifier {
    private static final double MULTI_LABEL_THRESHOLD = 0.5;
    private final Bundle bundle;
    private final Runner runner;

    public TinyBertClassifier(Bundle bundle, Runner runner) {
        this.bundle = bundle;
        this.runner = runner;
    }

    /** Classifies one text. */
    public Classification classify(String text) {
        return classify(bundle.tokenizer.encode(text, bundle.maxLength));
    }

    /** Classifies a pair of texts, for models that were trained on pairs. */
    public Classification classify(String text, String pair) {
        return classify(bundle.tokenizer.encode(text, pair, bundle.maxLength));
    }

    /**
     * Classifies what {@link WordPieceTokenizer#encode} returned.
     *
     * @throws TinyBertException if the model does not belong to the bundle
     */
    public Classification classify(Encoding encoding) {
        float[] probabilities = run(encoding);
        if (probabilities.length != bundle.labels.size()) {
            throw new TinyBertException(
                    "Expected a model with " + bundle.labels.size() + " outputs, the lines of the "
                            + "labels. Received: " + probabilities.length + " outputs; copy the "
                            + "bundle's files together");
        }
        boolean outOfScope =
                !bundle.multiLabel
                        && bundle.outOfScope != null
                        && bundle.outOfScope.holds(probabilities);
        return new Classification(
                bundle.labels,
                probabilities,
                MULTI_LABEL_THRESHOLD,
                bundle.multiLabel,
                outOfScope,
                encoding.length());
    }

    /** Pads to the shortest signature that holds the tokens, and runs it. */
    private float[] run(Encoding encoding) {
        for (Map.Entry<Integer, String> signature : bundle.signatures.entrySet()) {
            int length = signature.getKey();
            if (encoding.length() <= length) {
                return runner.run(signature.getValue(), inputs(encoding, length));
            }
        }
        throw new TinyBertException(
                "Expected at most " + bundle.maxLength + " tokens. Received: "
                        + encoding.length());
    }

    /** The rows in the order of the file's inputs. */
    private int[][] inputs(Encoding encoding, int length) {
        int[][] rows = new int[3][];
        rows[bundle.inputs.indexOf("ids")] = encoding.paddedIds(length, bundle.tokenizer.padId);
        rows[bundle.inputs.indexOf("mask")] = encoding.mask(length);
        rows[bundle.inputs.indexOf("segment_ids")] = encoding.paddedSegmentIds(length);
        return rows;
    }
}
