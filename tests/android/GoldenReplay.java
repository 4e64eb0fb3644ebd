import android.content.res.AssetManager;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tensorflow.lite.Interpreter;
import tinybert.text.AndroidAssets;
import tinybert.text.AssetSource;
import tinybert.text.Bundle;
import tinybert.text.Classification;
import tinybert.text.Encoding;
import tinybert.text.Json;
import tinybert.text.LiteRtRunner;
import tinybert.text.Runner;
import tinybert.text.TinyBertClassifier;
import tinybert.text.TinyBertException;
import tinybert.text.WordPieceTokenizer;

/**
 * The Java client behind a pipe: a JSON object a line in, one a line out. java_client.py is at the
 * other end; where the classifier needs its model, it asks there (a line with "run").
 */
public final class GoldenReplay {
    private static final BufferedReader IN =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    /** Processor time: a busy machine does not change it. */
    private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();
    private static PrintStream out;
    private static WordPieceTokenizer tokenizer;
    private static TinyBertClassifier classifier;

    public static void main(String[] arguments) throws IOException {
        out = new PrintStream(System.out, true, "UTF-8");
        for (String line = IN.readLine(); line != null; line = IN.readLine()) {
            long start = CLOCK.getCurrentThreadCpuTime();
            String answer;
            try {
                answer = answer((Map<?, ?>) Json.parse(line));
            } catch (TinyBertException exception) {
                answer = "\"error\": " + quoted(exception.getMessage());
            }
            double seconds = (CLOCK.getCurrentThreadCpuTime() - start) / 1e9;
            out.println("{" + answer + ", \"seconds\": " + seconds + "}");
        }
    }

    private static String answer(Map<?, ?> request) throws IOException {
        if (request.containsKey("vocabulary")) {
            tokenizer = tokenizer(request);
            return "\"size\": " + tokenizer.vocabularySize();
        }
        if (request.containsKey("texts")) {
            return encode(request);
        }
        if (request.containsKey("verify")) {
            Bundle.verify(new Folder((String) request.get("verify")));
            return "\"verified\": true";
        }
        if (request.containsKey("bundle")) {
            Bundle bundle = Bundle.read(new Folder((String) request.get("bundle")));
            classifier = new TinyBertClassifier(bundle, new PipeRunner());
            tokenizer = bundle.tokenizer;
            return "\"model\": " + quoted(bundle.modelFile);
        }
        if (request.containsKey("assets")) {
            String folder = (String) request.get("folder");
            AssetManager assets = new AssetManager((String) request.get("assets"));
            Interpreter.backend = new PipeBackend();
            Bundle bundle = Bundle.read(new AndroidAssets(assets, folder));
            Runner runner = LiteRtRunner.open(assets, folder, bundle, 2, null);
            classifier = new TinyBertClassifier(bundle, runner);
            tokenizer = bundle.tokenizer;
            return "\"model\": " + quoted(bundle.modelFile);
        }
        return classify((String) request.get("classify"), (String) request.get("pair"));
    }

    private static WordPieceTokenizer tokenizer(Map<?, ?> request) throws IOException {
        byte[] content = Files.readAllBytes(Paths.get((String) request.get("vocabulary")));
        String[] lines = new String(content, StandardCharsets.UTF_8).split("\n");
        WordPieceTokenizer.Settings settings = new WordPieceTokenizer.Settings();
        settings.lowercase = (Boolean) request.get("lowercase");
        settings.stripAccents = (Boolean) request.get("strip_accents");
        settings.splitChinese = (Boolean) request.get("split_chinese");
        settings.maxCharactersPerWord = ((Double) request.get("max_characters")).intValue();
        return new WordPieceTokenizer(Arrays.asList(lines), settings);
    }

    private static String encode(Map<?, ?> request) {
        List<?> texts = (List<?>) request.get("texts");
        List<?> pairs = (List<?>) request.get("pairs");
        int maxLength = ((Double) request.get("max_length")).intValue();
        List<String> ids = new ArrayList<>();
        List<String> segments = new ArrayList<>();
        for (int row = 0; row < texts.size(); row++) {
            String text = (String) texts.get(row);
            Encoding encoding =
                    pairs == null
                            ? tokenizer.encode(text, maxLength)
                            : tokenizer.encode(text, (String) pairs.get(row), maxLength);
            ids.add(Arrays.toString(encoding.ids()));
            segments.add(Arrays.toString(encoding.segmentIds()));
        }
        return "\"token_ids\": " + ids + ", \"segment_ids\": " + segments;
    }

    private static String classify(String text, String pair) {
        Classification found =
                pair == null ? classifier.classify(text) : classifier.classify(text, pair);
        List<String> names = new ArrayList<>();
        List<Float> probabilities = new ArrayList<>();
        for (Classification.Score score : found.scores) {
            names.add(quoted(score.label));
            probabilities.add(score.probability);
        }
        List<String> labels = new ArrayList<>();
        for (String label : found.labels) {
            labels.add(quoted(label));
        }
        return "\"names\": " + names + ", \"probabilities\": " + probabilities + ", \"labels\": "
                + labels + ", \"out_of_scope\": " + found.outOfScope + ", \"num_tokens\": "
                + found.numTokens;
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char unit : text.toCharArray()) {
            boolean plain = unit >= ' ' && unit < 127 && unit != '"' && unit != '\\';
            quoted.append(plain ? String.valueOf(unit) : String.format("\\u%04x", (int) unit));
        }
        return quoted.append('"').toString();
    }

    /** A bundle on disk. */
    private static final class Folder implements AssetSource {
        private final String path;

        Folder(String path) {
            this.path = path;
        }

        @Override
        public InputStream open(String name) throws IOException {
            return new FileInputStream(path + "/" + name);
        }
    }

    /** Asks the other end of the pipe. */
    private static Map<?, ?> ask(String question) {
        out.println("{" + question + "}");
        try {
            return (Map<?, ?>) Json.parse(IN.readLine());
        } catch (IOException exception) {
            throw new IllegalStateException(exception);
        }
    }

    private static float[] floats(Object list) {
        List<?> row = (List<?>) list;
        float[] values = new float[row.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = ((Double) row.get(i)).floatValue();
        }
        return values;
    }

    /** Runs the model at the other end of the pipe. */
    private static final class PipeRunner implements Runner {
        @Override
        public float[] run(String signature, int[][] inputs) {
            String rows = Arrays.deepToString(inputs);
            return floats(ask("\"run\": " + quoted(signature) + ", \"inputs\": " + rows).get("output"));
        }
    }

    /** What LiteRtRunner asks of LiteRT's Interpreter, at the other end of the pipe. */
    private static final class PipeBackend implements Interpreter.Backend {
        @Override
        public Map<String, int[]> outputs(String signature) {
            Map<String, int[]> found = new LinkedHashMap<>();
            List<?> outputs = (List<?>) ask("\"outputs\": " + name(signature)).get("output");
            for (Object output : outputs) {
                Map<?, ?> entry = (Map<?, ?>) output;
                float[] sizes = floats(entry.get("shape"));
                int[] shape = new int[sizes.length];
                for (int i = 0; i < shape.length; i++) {
                    shape[i] = (int) sizes[i];
                }
                found.put((String) entry.get("name"), shape);
            }
            return found;
        }

        @Override
        public float[] run(String signature, List<String> names, List<int[]> rows, String output) {
            List<String> quotedNames = new ArrayList<>();
            for (int i = 0; names != null && i < names.size(); i++) {
                quotedNames.add(quoted(names.get(i)));
            }
            String inputs = Arrays.deepToString(rows.toArray(new int[0][]));
            String question =
                    "\"interpret\": " + name(signature) + ", \"names\": " + quotedNames
                            + ", \"inputs\": " + inputs + ", \"of\": " + quoted(output);
            return floats(ask(question).get("output"));
        }

        private static String name(String signature) {
            return signature == null ? "\"\"" : quoted(signature);
        }
    }
}
