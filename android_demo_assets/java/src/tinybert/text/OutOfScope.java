package tinybert.text;

/** The rule by which a text has none of the known labels, from the model's probabilities. */
public final class OutOfScope {
    /** "probability" (the largest one, out of scope is low) or "entropy" (in nats, high). */
    public final String score;
    public final double threshold;

    OutOfScope(JsonFields fields) {
        score = fields.text("score");
        threshold = fields.number("threshold");
        if (!score.equals("probability") && !score.equals("entropy")) {
            throw fields.error("score", "probability or entropy");
        }
    }

    /** Whether a text is out of scope; one whose score equals the threshold is not. */
    boolean holds(float[] probabilities) {
        double largest = 0;
        double entropy = 0;
        for (float probability : probabilities) {
            if (Float.isNaN(probability) || Float.isInfinite(probability)) {
                return true;
            }
            largest = Math.max(largest, probability);
            if (probability > 0) {
                entropy -= probability * Math.log(probability);
            }
        }
        return score.equals("probability") ? largest < threshold : entropy > threshold;
    }
}
