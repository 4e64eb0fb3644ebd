package tinybert.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The files of a bundle, compared with the hashes in its manifest as they are read. */
final class BundleFiles {
    private static final String MANIFEST = "manifest.json";
    final JsonFields manifest;
    private final AssetSource assets;
    private final JsonFields hashes;

    BundleFiles(AssetSource assets) {
        this.assets = assets;
        manifest = new JsonFields(MANIFEST, json());
        hashes = manifest.object("sha256");
    }

    private Object json() {
        String text = text(MANIFEST, read(MANIFEST));
        try {
            return Json.parse(text);
        } catch (TinyBertException exception) {
            throw new TinyBertException(MANIFEST + ": " + exception.getMessage(), exception);
        }
    }

    /** The lines of a text file; only line feeds end a line, empty ones at the end do not count. */
    List<String> lines(String name) {
        byte[] content = read(name);
        check(name, content);
        String[] lines = text(name, content).replace("\r\n", "\n").split("\n");
        if (lines.length == 0 || lines.length == 1 && lines[0].isEmpty()) {
            throw new TinyBertException("Expected a line or more. Received: an empty " + name);
        }
        return new ArrayList<>(Arrays.asList(lines));
    }

    /** Compares all files with their hashes. */
    void checkAll() {
        for (String name : hashes.names()) {
            check(name, read(name));
        }
    }

    private void check(String name, byte[] content) {
        String found = sha256(content);
        if (!hashes.text(name).equalsIgnoreCase(found)) {
            throw new TinyBertException(
                    "Expected the " + name + " that manifest.json was written for. Received: "
                            + content.length + " bytes whose SHA-256 is " + found + " instead of "
                            + hashes.text(name) + "; copy the bundle's files together");
        }
    }

    private byte[] read(String name) {
        try (InputStream stream = assets.open(name)) {
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 16];
            for (int count = stream.read(buffer); count >= 0; count = stream.read(buffer)) {
                content.write(buffer, 0, count);
            }
            return content.toByteArray();
        } catch (IOException exception) {
            throw new TinyBertException(
                    "Expected the file " + name + " in the bundle. Received: " + exception,
                    exception);
        }
    }

    private static String text(String name, byte[] content) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
        } catch (CharacterCodingException exception) {
            throw new TinyBertException("Expected UTF-8. Received: " + name, exception);
        }
    }

    private static String sha256(byte[] content) {
        try {
            StringBuilder text = new StringBuilder();
            for (byte value : MessageDigest.getInstance("SHA-256").digest(content)) {
                text.append(Character.forDigit(value >> 4 & 15, 16));
                text.append(Character.forDigit(value & 15, 16));
            }
            return text.toString();
        } catch (NoSuchAlgorithmException exception) {
            throw new IllegalStateException(exception); // every Android and JVM has it
        }
    }
}
