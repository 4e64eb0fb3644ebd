package tinybert.text;

/** What runs the model file: LiteRT in an app (LiteRtRunner), anything else in a test. */
public interface Runner {
    /**
     * Runs the model once.
     *
     * @param signature the name of the signature for inputs of this length, from the manifest
     * @param inputs the rows of ids, mask and segment ids in the order of the file's inputs, all
     *     as long as the signature says
     * @return the file's output: a probability for each label
     */
    float[] run(String signature, int[][] inputs);
}
