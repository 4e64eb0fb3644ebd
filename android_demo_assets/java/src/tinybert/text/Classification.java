package tinybert.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** What a model says about a text. */
public final class Classification {
    /** Stable: of equals the first in labels.txt. */
    private static final Comparator<Score> MOST_PROBABLE_FIRST =
            new Comparator<Score>() {
                @Override
                public int compare(Score one, Score other) {
                    return Float.compare(other.probability, one.probability);
                }
            };

    /** Every label with its probability, the most probable first. */
    public final List<Score> scores;
    /** The labels that hold: one, none if out of scope; of a multi-label model any number. */
    public final List<String> labels;
    /** Whether the text is about none of the labels, by the bundle's threshold. */
    public final boolean outOfScope;
    /** The number of tokens of the text, cut to what the model takes. */
    public final int numTokens;

    Classification(List<String> names, float[] probabilities, double multiLabelThreshold,
            boolean multiLabel, boolean outOfScope, int numTokens) {
        List<Score> sorted = new ArrayList<>();
        List<String> found = new ArrayList<>();
        for (int i = 0; i < probabilities.length; i++) {
            sorted.add(new Score(names.get(i), i, probabilities[i]));
            if (multiLabel && probabilities[i] >= multiLabelThreshold) {
                found.add(names.get(i));
            }
        }
        Collections.sort(sorted, MOST_PROBABLE_FIRST);
        if (!multiLabel && !outOfScope) {
            found.add(sorted.get(0).label);
        }
        this.scores = Collections.unmodifiableList(sorted);
        this.labels = Collections.unmodifiableList(found);
        this.outOfScope = outOfScope;
        this.numTokens = numTokens;
    }

    /** The most probable label, even of a text out of scope. */
    public Score best() {
        return scores.get(0);
    }

    @Override
    public String toString() {
        return outOfScope ? "out of scope (" + best() + ")" : labels + " (" + best() + ")";
    }

    /** A label and its probability. */
    public static final class Score {
        public final String label;
        /** Its line in labels.txt, from 0. */
        public final int index;
        public final float probability;

        Score(String label, int index, float probability) {
            this.label = label;
            this.index = index;
            this.probability = probability;
        }

        @Override
        public String toString() {
            return label + " " + probability;
        }
    }
}
