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
import java.util.List;
import java.util.Map;
import tinybert.text.AssetSource;
import tinybert.text.Bundle;
import tinybert.text.Classification;
import tinybert.text.Encoding;
import tinybert.text.Json;
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

    /** Runs the model at the other end of the pipe. */
    private static final class PipeRunner implements Runner {
        @Override
        public float[] run(String signature, int[][] inputs) {
            out.println(
                    "{\"run\": " + quoted(signature) + ", \"inputs\": "
                            + Arrays.deepToString(inputs) + "}");
            try {
                List<?> row = (List<?>) ((Map<?, ?>) Json.parse(IN.readLine())).get("output");
                float[] output = new float[row.size()];
                for (int i = 0; i < output.length; i++) {
                    output[i] = ((Double) row.get(i)).floatValue();
                }
                return output;
            } catch (IOException exception) {
                throw new IllegalStateException(exception);
            }
        }
    }
}
