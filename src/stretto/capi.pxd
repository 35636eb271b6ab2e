# cython: language_level=3
# The C side of capi.py: inline C functions, so that cimporting them needs no compiled module.

cdef extern from *:
    """
    #include "datetime.h"
    #include "structmember.h"

    static inline int stretto_import_datetime(void) {
        PyDateTime_IMPORT;
        return PyDateTimeAPI == NULL ? -1 : 0;
    }
    static inline PyObject *stretto_new_date(int y, int m, int d) {
        return PyDateTimeAPI->Date_FromDate(y, m, d, PyDateTimeAPI->DateType);
    }
    static inline PyObject *stretto_new_time(int h, int mi, int s, int us, PyObject *tz) {
        return PyDateTimeAPI->Time_FromTime(h, mi, s, us, tz, PyDateTimeAPI->TimeType);
    }
    static inline PyObject *stretto_new_datetime(int y, int mo, int d, int h, int mi, int s, int us, PyObject *tz) {
        return PyDateTimeAPI->DateTime_FromDateAndTime(y, mo, d, h, mi, s, us, tz, PyDateTimeAPI->DateTimeType);
    }
    static inline PyObject *stretto_new_timedelta(int d, int s, int us) {
        return PyDateTimeAPI->Delta_FromDelta(d, s, us, 1, PyDateTimeAPI->DeltaType);
    }
    /* No value can become part of a cycle: not the collector's business, or untracked for good (a dict may come back). */
    static inline int stretto_atomic(PyObject *values) {
        Py_ssize_t i, n = PyList_GET_SIZE(values);
        for (i = 0; i < n; i++) {
            PyObject *value = PyList_GET_ITEM(values, i);
            if (PyObject_IS_GC(value) && (PyObject_GC_IsTracked(value) || PyDict_CheckExact(value))) return 0;
        }
        return 1;
    }
    static inline void stretto_untrack(PyObject *obj, PyObject *values) {
        if (Py_TYPE(obj)->tp_dictoffset == 0 && stretto_atomic(values)) PyObject_GC_UnTrack(obj);
    }
    #define stretto_get_year(value) PyDateTime_GET_YEAR(value)
    #define stretto_get_month(value) PyDateTime_GET_MONTH(value)
    #define stretto_get_day(value) PyDateTime_GET_DAY(value)
    #define stretto_delta_days(value) PyDateTime_DELTA_GET_DAYS(value)
    static inline long long stretto_datetime_micros(PyObject *value) {
        return ((PyDateTime_DATE_GET_HOUR(value) * 60 + PyDateTime_DATE_GET_MINUTE(value)) * 60
                + PyDateTime_DATE_GET_SECOND(value)) * 1000000LL + PyDateTime_DATE_GET_MICROSECOND(value);
    }
    static inline long long stretto_time_micros(PyObject *value) {
        return ((PyDateTime_TIME_GET_HOUR(value) * 60 + PyDateTime_TIME_GET_MINUTE(value)) * 60
                + PyDateTime_TIME_GET_SECOND(value)) * 1000000LL + PyDateTime_TIME_GET_MICROSECOND(value);
    }
    static inline long long stretto_delta_micros(PyObject *value) {
        return PyDateTime_DELTA_GET_SECONDS(value) * 1000000LL + PyDateTime_DELTA_GET_MICROSECONDS(value);
    }
    static inline PyObject *stretto_scaled_text(long long mantissa, int scale) {
        char text[48], *p = text + sizeof text;
        unsigned long long rest = mantissa < 0 ? 0 - (unsigned long long)mantissa : (unsigned long long)mantissa;
        int i;
        if (scale < 0 || scale > 18) {
            PyErr_SetString(PyExc_ValueError, "a scale is 0 to 18");
            return NULL;
        }
        if (scale > 0) {
            for (i = 0; i < scale; i++, rest /= 10) *--p = (char)('0' + rest % 10);
            *--p = '.';
        }
        do { *--p = (char)('0' + rest % 10); rest /= 10; } while (rest);
        if (mantissa < 0) *--p = '-';
        return PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, p, text + sizeof text - p);
    }
    static inline Py_ssize_t stretto_ascii_length(PyObject *value) {
        Py_ssize_t count;
        if (!PyUnicode_IS_COMPACT_ASCII(value)) return -1;
        count = PyUnicode_GET_LENGTH(value);
        return memchr(PyUnicode_1BYTE_DATA(value), 0, count) == NULL ? count : -1;
    }
    static inline void stretto_put_ascii(PyObject *data, Py_ssize_t pos, PyObject *value) {
        memcpy(PyByteArray_AS_STRING(data) + pos, PyUnicode_1BYTE_DATA(value), PyUnicode_GET_LENGTH(value));
    }
    static inline PyObject *stretto_unsigned_from_bytes(PyObject *data) {
        return _PyLong_FromByteArray((const unsigned char *)PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), 0, 0);
    }
    static inline PyObject *stretto_new_row(PyObject *cls, PyObject *values) {
        Py_ssize_t i, n = PyList_GET_SIZE(values);
        PyObject *row = ((PyTypeObject *)cls)->tp_alloc((PyTypeObject *)cls, n);
        if (row == NULL) return NULL;
        for (i = 0; i < n; i++) {
            PyObject *value = PyList_GET_ITEM(values, i);
            Py_INCREF(value);
            PyTuple_SET_ITEM(row, i, value);
        }
        stretto_untrack(row, values);
        return row;
    }
    static inline PyObject *stretto_tuple_item(PyObject *row, PyObject *key) {
        if (!PyTuple_Check(row)) {
            PyErr_SetString(PyExc_TypeError, "not a tuple");
            return NULL;
        }
        return PyTuple_Type.tp_as_mapping->mp_subscript(row, key);
    }
    static inline PyObject *stretto_new_instance(PyObject *cls) {
        PyObject *none = PyTuple_New(0), *obj;
        if (none == NULL) return NULL;
        obj = PyBaseObject_Type.tp_new((PyTypeObject *)cls, none, NULL);
        Py_DECREF(none);
        return obj;
    }
    static inline PyObject *stretto_new_object(PyObject *cls) {
        return ((PyTypeObject *)cls)->tp_alloc((PyTypeObject *)cls, 0);
    }
    static inline Py_ssize_t stretto_slot_of(PyObject *descriptor) {
        PyMemberDef *member;
        if (Py_TYPE(descriptor) != &PyMemberDescr_Type
            || (member = ((PyMemberDescrObject *)descriptor)->d_member)->type != T_OBJECT_EX) {
            PyErr_SetString(PyExc_TypeError, "not a slot's member descriptor");
            return -1;
        }
        return member->offset;
    }
    static inline void stretto_set_slot(PyObject *obj, Py_ssize_t slot, PyObject *value) {
        PyObject **place = (PyObject **)((char *)obj + slot);
        PyObject *old = *place;
        Py_INCREF(value);
        *place = value;
        Py_XDECREF(old);
    }
    static inline PyObject *stretto_get_slot(PyObject *obj, Py_ssize_t slot, PyObject *unset) {
        PyObject *value = *(PyObject **)((char *)obj + slot);
        if (value == NULL) value = unset;
        Py_INCREF(value);
        return value;
    }
    static inline double stretto_float4_from_bits(unsigned int bits) {
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    static inline double stretto_float8_from_bits(unsigned long long bits) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    static inline unsigned int stretto_bits_from_float4(double wide) {
        float value = (float)wide;
        unsigned int bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    static inline unsigned long long stretto_bits_from_float8(double value) {
        unsigned long long bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    """
    double float4_from_bits "stretto_float4_from_bits" (unsigned int bits)
    double float8_from_bits "stretto_float8_from_bits" (unsigned long long bits)
    unsigned int bits_from_float4 "stretto_bits_from_float4" (double value)
    unsigned long long bits_from_float8 "stretto_bits_from_float8" (double value)
    int import_datetime "stretto_import_datetime" () except -1
    object new_date "stretto_new_date" (int year, int month, int day)
    object new_time "stretto_new_time" (int hour, int minute, int second, int microsecond, object tz)
    object new_datetime "stretto_new_datetime" (int year, int month, int day, int hour, int minute, int second, int microsecond, object tz)
    object new_timedelta "stretto_new_timedelta" (int days, int seconds, int microseconds)
    # The getters read the object's own memory: the caller has made sure of its class.
    int get_year "stretto_get_year" (object value) noexcept
    int get_month "stretto_get_month" (object value) noexcept
    int get_day "stretto_get_day" (object value) noexcept
    long long datetime_micros "stretto_datetime_micros" (object value) noexcept
    long long time_micros "stretto_time_micros" (object value) noexcept
    int delta_days "stretto_delta_days" (object value) noexcept
    long long delta_micros "stretto_delta_micros" (object value) noexcept
    object scaled_text "stretto_scaled_text" (long long mantissa, int scale)
    Py_ssize_t ascii_length "stretto_ascii_length" (str value) noexcept
    # The caller has made sure of the room.
    void put_ascii "stretto_put_ascii" (bytearray data, Py_ssize_t pos, str value) noexcept
    object unsigned_from_bytes "stretto_unsigned_from_bytes" (bytes data)
    object new_row "stretto_new_row" (object cls, list values)
    object tuple_item "stretto_tuple_item" (object row, object key)
    void untrack "stretto_untrack" (object obj, list values)
    object new_object "stretto_new_object" (object cls)
    object new_instance "stretto_new_instance" (object cls)
    int set_attribute "PyObject_GenericSetAttr" (object obj, object name, object value) except -1
    Py_ssize_t slot_of "stretto_slot_of" (object descriptor) except -1
    void set_slot "stretto_set_slot" (object obj, Py_ssize_t slot, object value)
    object get_slot "stretto_get_slot" (object obj, Py_ssize_t slot, object unset)
    int gc_disable "PyGC_Disable" ()
    int gc_enable "PyGC_Enable" ()
