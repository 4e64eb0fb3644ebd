package tinybert.text;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The bundle that `tinybert-tf bundle` writes, read and checked; the model itself is left out. */
public final class Bundle {
    private static final int NEWEST_VERSION = 1;

    /** The model's file, such as "model.tflite". */
    public final String modelFile;
    /** "ids", "mask" and "segment_ids" in the order of the file's inputs. */
    public final List<String> inputs;
    /** Signature names by the number of tokens that they take, shortest first. */
    public final Map<Integer, String> signatures;
    public final WordPieceTokenizer tokenizer;
    /** The number of tokens that texts are cut to. */
    public final int maxLength;
    public final List<String> labels;
    /** Whether a text may have several labels, or none. */
    public final boolean multiLabel;
    /** When a text has no known label; null if there is no such rule. */
    public final OutOfScope outOfScope;

    /**
     * Reads manifest.json, the vocabulary and the labels.
     *
     * @throws TinyBertException if a file is absent, was changed, or is not what this class reads
     */
    public static Bundle read(AssetSource assets) {
        return new Bundle(new BundleFiles(assets));
    }

    private Bundle(BundleFiles files) {
        JsonFields manifest = files.manifest;
        checkVersion(manifest);
        JsonFields model = manifest.object("model");
        modelFile = model.text("file");
        inputs = Collections.unmodifiableList(model.texts("inputs"));
        if (inputs.size() != 3 || !inputs.contains("ids") || !inputs.contains("mask")
                || !inputs.contains("segment_ids")) {
            throw model.error("inputs", "ids, mask and segment_ids");
        }
        JsonFields settings = manifest.object("tokenizer");
        maxLength = settings.integer("max_length");
        signatures = Collections.unmodifiableMap(signatures(model));
        tokenizer =
                new WordPieceTokenizer(
                        files.lines(settings.text("vocabulary")), tokenizerSettings(settings));
        labels = Collections.unmodifiableList(files.lines(manifest.text("labels")));
        multiLabel = manifest.flag("multi_label");
        outOfScope =
                manifest.has("out_of_scope")
                        ? new OutOfScope(manifest.object("out_of_scope"))
                        : null;
    }

    /**
     * Compares every file of the bundle with the manifest's SHA-256, the model too. Reading a
     * bundle compares the vocabulary and the labels; this reads the megabytes of the model, so it
     * suits a test of the app, or a first start after a download.
     *
     * @throws TinyBertException if a file is absent or was changed; the message says which
     */
    public static void verify(AssetSource assets) {
        new BundleFiles(assets).checkAll();
    }

    private static void checkVersion(JsonFields manifest) {
        if (!"tinybert_tf.bundle".equals(manifest.text("format"))) {
            throw manifest.error("format", "tinybert_tf.bundle");
        }
        int version = manifest.integer("format_version");
        if (version < 1 || version > NEWEST_VERSION) {
            throw manifest.error(
                    "format_version",
                    "a version up to " + NEWEST_VERSION + " (newer ones need newer client code)");
        }
        if (!"classification".equals(manifest.text("task"))) {
            throw manifest.error("task", "classification");
        }
    }

    /** The signatures in their order; the longest must hold the longest text. */
    private Map<Integer, String> signatures(JsonFields model) {
        Map<Integer, String> found = new LinkedHashMap<>();
        int longest = 0;
        for (JsonFields signature : model.objects("signatures")) {
            int length = signature.integer("length");
            if (length <= longest) {
                throw model.error("signatures", "ascending lengths");
            }
            longest = length;
            found.put(length, signature.text("name"));
        }
        if (longest < maxLength) {
            throw model.error("signatures", "a length of at least max_length=" + maxLength);
        }
        return found;
    }

    private static WordPieceTokenizer.Settings tokenizerSettings(JsonFields fields) {
        if (!"bert".equals(fields.text("kind"))) {
            throw fields.error("kind", "bert, the tokenizer that this class is,");
        }
        WordPieceTokenizer.Settings settings = new WordPieceTokenizer.Settings();
        settings.lowercase = fields.flag("lowercase");
        settings.stripAccents =
                fields.has("strip_accents") ? fields.flag("strip_accents") : settings.lowercase;
        settings.splitChinese = fields.flag("split_chinese");
        settings.maxCharactersPerWord = fields.integer("max_characters_per_word");
        settings.unknown = fields.text("unknown");
        settings.classify = fields.text("classify");
        settings.separate = fields.text("separate");
        settings.pad = fields.text("pad");
        settings.mask = fields.text("mask");
        return settings;
    }
}
