package tinybert.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The fields of a JSON object, of the types that are expected; the errors name the field. */
final class JsonFields {
    private final String name;
    private final Map<?, ?> fields;

    JsonFields(String name, Object value) {
        if (!(value instanceof Map)) {
            throw new TinyBertException("Expected a JSON object. Received: " + name + "=" + value);
        }
        this.name = name;
        this.fields = (Map<?, ?>) value;
    }

    /** Whether the field is there and not null. */
    boolean has(String field) {
        return fields.get(field) != null;
    }

    List<String> names() {
        List<String> found = new ArrayList<>();
        for (Object name : fields.keySet()) {
            found.add((String) name);
        }
        return found;
    }

    String text(String field) {
        return get(field, String.class, "a string");
    }

    boolean flag(String field) {
        return get(field, Boolean.class, "true or false");
    }

    double number(String field) {
        return get(field, Double.class, "a number");
    }

    int integer(String field) {
        double value = number(field);
        if (value != (int) value) {
            throw error(field, "an integer");
        }
        return (int) value;
    }

    JsonFields object(String field) {
        return new JsonFields(name + ", " + field, get(field, Map.class, "an object"));
    }

    List<JsonFields> objects(String field) {
        List<JsonFields> found = new ArrayList<>();
        for (Object value : get(field, List.class, "a list")) {
            found.add(new JsonFields(name + ", " + field, value));
        }
        return found;
    }

    List<String> texts(String field) {
        List<String> found = new ArrayList<>();
        for (Object value : get(field, List.class, "a list of strings")) {
            if (!(value instanceof String)) {
                throw error(field, "a list of strings");
            }
            found.add((String) value);
        }
        return found;
    }

    private <T> T get(String field, Class<T> type, String expected) {
        Object value = fields.get(field);
        if (!type.isInstance(value)) {
            throw error(field, expected);
        }
        return type.cast(value);
    }

    TinyBertException error(String field, String expected) {
        String received =
                fields.containsKey(field) ? field + "=" + fields.get(field) : "no such field";
        return new TinyBertException(
                "Expected " + expected + " as \"" + field + "\" in " + name + ". Received: "
                        + received);
    }
}
